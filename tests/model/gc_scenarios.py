"""The small repositories from which gc_model.py starts, and the rules that each of them needs."""
from typing import NamedTuple

IDLE = ('idle', -1, -1, -1, -1, 0, 0)  # a collector: pc, item, condemning entry, head of its view, next, set, kept


class Scenario(NamedTuple):
    """A starting repository, who acts, and what must be seen to happen (so that no run is empty)."""
    name: str
    fates: str                  # per transaction: C committed, A aborted, - not opened yet
    refs: tuple = ()            # per committed transaction: (slots, owners of its pages)
    packs: tuple = ()           # per transaction: slots of its pack's generation 0
    log: tuple = ()             # entries at the start
    writers: tuple = ()         # per writer: the names of transactions that it will use, in order
    checkpoints: int = 0        # transactions that commit as checkpoints
    runs: tuple = ()            # sets of transactions that are one run
    dedup: int = 0              # slots that a writer's (stale) index offers for its chunk
    parent: int = -1            # a snapshot whose tree writers take over
    pages: int = 0              # owners of pages that a writer may share
    items: tuple = ()           # what collectors consider
    collectors: int = 1
    starts: tuple = ()          # collectors that begin in the midst of things
    forget: int = 0             # snapshots that the administrator may forget
    unforget: int = 0
    abandon: int = 0
    reader: tuple = ()          # (snapshot, slot)
    damage: tuple = ()          # ('fate' | 'refs', transaction) or ('log', entry): may become unreadable, and back
    uploads: bool = True        # a writer may store its chunk anew, in a pack of its own
    old_views: bool = False     # a sweep may go by any older prefix of the log
    max_log: int = 6
    reached: tuple = ()         # kinds of log entries and outcomes that must occur
    mutants: tuple = ()


F0 = (('F', 0),)
SCENARIOS = (
    Scenario('commit-1w2g', 'C--', ((1, 1),), (1,), F0, writers=((1, 2),), dedup=1, items=(0, 2), collectors=2,
             forget=0b110, max_log=5, reached=('D', 'L', 'told', 'aborted'),
             mutants=('no_wait', 'log_before_open', 'condemned_used', 'mark_before_decision')),
    Scenario('commit-2w1g', 'C--', ((1, 1),), (1,), F0, writers=((1,), (2,)), dedup=1 | 4, items=(0, 2),
             forget=0b110, max_log=5, reached=('D', 'L', 'told', 'aborted')),
    # A collector stands between its LIST and its mark while others lift its condemnation and condemn again.
    Scenario('aba', 'CC-', ((1, 1), (1, 2)), (1,), (('F', 0), ('C', 0, 0)), writers=((2,),), dedup=1, items=(0,),
             collectors=2, starts=(('wait', 0, 1, -1, -1, 0, 0),), forget=0b010, uploads=False, max_log=6,
             reached=('D', 'L', 'told'), mutants=('delete_not_bound',)),
    Scenario('unforget', 'C', ((1, 1),), (1,), F0, items=(0, 1), collectors=2, forget=1, unforget=1, max_log=6,
             reached=('D', 'U', 'L', 'retired'),
             mutants=('unforget_unchecked', 'unforget_of_old_view', 'delete_at_any_head')),
    Scenario('unforget-1w', 'C--', ((1, 1),), (1,), F0, writers=((1,),), dedup=1, parent=0, items=(0,), forget=1,
             unforget=1, max_log=7, reached=('D', 'U', 'L', 'told'), mutants=('parent_trusted',)),
    Scenario('checkpoint', '---', writers=((0, 1, 2),), checkpoints=0b001, runs=(0b111,), items=(0, 1, 3), forget=0b110,
             abandon=1, max_log=6, reached=('B', 'D', 'L', 'retired', 'told', 'aborted'),
             mutants=('checkpoint_not_pinned', 'memory_trusted', 'retire_newer_first')),
    Scenario('relocation', 'CC-', ((3, 1), (1, 2)), (3,), F0, writers=((2,),), dedup=3, items=(0,), collectors=2,
             forget=0b010, uploads=False, old_views=True, max_log=6, reached=('D', 'L', 'moved', 'told'),
             mutants=('next_generation', 'delete_before_put', 'remove_before_delete', 'awaited_swept', 'unborn_swept',
                      'condemned_used')),
    Scenario('relocation-read', 'CC', ((3, 1), (1, 2)), (3,), F0, items=(0,), collectors=2, forget=0b010, reader=(1, 0),
             max_log=6, reached=('D', 'moved'), mutants=('reader_gives_up',)),
    Scenario('unreadable', 'CC-', ((1, 1), (1, 2)), (1,), F0, writers=((2,),), dedup=1, items=(0,), forget=0b110,
             damage=(('fate', 1), ('refs', 1)), max_log=5, reached=('D', 'told'),
             mutants=('fate_taken_as_absent', 'refs_taken_as_empty')),
    Scenario('unreadable-log', 'C-', ((1, 1),), (1,), F0, writers=((1,),), dedup=1, items=(0,), forget=0b10,
             damage=(('log', 1),), max_log=5, reached=('D', 'L', 'told'), mutants=('log_entry_skipped',)),
    Scenario('pages', 'CC-', ((1, 1), (4, 1)), (1, 4), F0, writers=((2,),), dedup=4, pages=1, items=(1, 3), collectors=2,
             forget=0b110, max_log=4, reached=('retired', 'L', 'told'), mutants=('page_not_counted', 'condemned_page')),
    Scenario('retire', 'AC--', ((0, 0), (1, 2)), (1,), writers=((2, 3),), dedup=1, items=(0, 1), forget=0b1110,
             max_log=5, reached=('retired', 'L', 'told'), mutants=('retire_with_slots', 'adopts_condemned')),
    Scenario('retire-live', 'CC', ((1, 1), (1, 1)), (1,), items=(3,), collectors=2, forget=0b10, max_log=4,
             reached=('retired',), mutants=('retire_live',)),
    # A writer lost its memory and takes the name of a transaction again.
    Scenario('names', 'A-', packs=(1,), writers=((0, 1),), items=(1,), collectors=2, max_log=4,
             reached=('retired', 'told'), mutants=('name_reused',)),
    # A writer sleeps while its transaction is aborted, retired, and its ABORT removed.
    Scenario('zombie', 'C--', ((1, 1),), (1,), F0, writers=((1, 2),), dedup=1, items=(0, 3), collectors=1, max_log=5,
             reached=('retired', 'aborted', 'told'), mutants=('not_confirmed',)),
)
