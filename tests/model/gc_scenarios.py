"""The small repositories from which gc_model.py starts, who acts on them, and the rules that each one needs.

Transactions are 0, 1, 2, …; transaction x has one pack, with the slots 2x and 2x+1, and one object of
reference pages. Sets are bit masks. An *item* is what a log entry condemns: 2x is the pack of x,
2x+1 the whole of x.
"""
from typing import NamedTuple

# A collector: pc, item, condemning entry, head of its view, a counter, a set of transactions, slots kept.
IDLE = ('idle', -1, -1, -1, -1, 0, 0)


class Scenario(NamedTuple):
    name: str
    fates: str                  # per transaction: C committed, A aborted, - not opened yet
    refs: tuple = ()            # per transaction: (slots, owners of its pages) of its commit
    packs: tuple = ()           # per transaction: slots of its pack's generation 0
    log: tuple = ()             # entries at the start; State.log in gc_protocol.py
    writers: tuple = ()         # per writer: the names of transactions that it will use, in order
    checkpoints: int = 0        # transactions that commit as checkpoints
    runs: tuple = ()            # sets of transactions that are one run
    dedup: int = 0              # slots that a writer's (stale) index offers for its chunk
    parent: int = -1            # a snapshot whose tree writers take over
    pages: int = 0              # owners of pages that a writer may share
    uploads: bool = True        # a writer may store its chunk anew, in a pack of its own
    items: tuple = ()           # what collectors consider
    collectors: int = 1
    starts: tuple = ()          # collectors that begin in the midst of things
    heal: bool = False          # collectors may also write a pack anew, all of it
    lost: int = 0               # slots whose content is gone at the start, as the log says (W)
    old_views: bool = False     # a sweep may go by any older prefix of the log
    forget: int = 0             # snapshots that the administrator may forget
    unforget: int = 0
    erase: int = 0              # transactions of a key domain that the administrator may erase
    abandon: int = 0            # checkpoints that the administrator may abandon
    reader: tuple = ()          # (snapshot, slot)
    damage: tuple = ()          # ('fate' | 'refs', transaction), ('log', entry): unreadable at times
    max_log: int = 6
    large: bool = False         # too large for --quick
    reached: tuple = ()         # what must be seen to happen, so that no run is empty
    mutants: tuple = ()         # rules without which this scenario loses something


F0 = (('F', 0),)
FORGOTTEN = dict(refs=((1, 1),), packs=(1,), log=F0)  # transaction 0: a snapshot of slot 0, forgotten
SHARED = dict(refs=((1, 1), (1, 2)), packs=(1,), log=F0)  # and transaction 1 refers to slot 0 too

SCENARIOS = (
    Scenario('one writer, two collectors', 'C--', **FORGOTTEN, writers=((1, 2),), dedup=1, items=(0,),
             collectors=2, forget=0b110, max_log=5, reached=('deleted', 'lifted', 'told', 'aborted'),
             mutants=('no_wait', 'log_before_open', 'condemned_used', 'mark_before_decision')),
    Scenario('adoption, two collectors', 'C--', **FORGOTTEN, writers=((1, 2),), dedup=1, items=(0, 2),
             collectors=2, forget=0b110, large=True, reached=('deleted', 'lifted', 'told', 'aborted')),
    Scenario('two writers', 'C--', **FORGOTTEN, writers=((1,), (2,)), dedup=0b101, items=(0, 2),
             forget=0b110, max_log=4, reached=('deleted', 'lifted', 'told', 'aborted')),
    Scenario('two writers, two collectors', 'C--', **FORGOTTEN, writers=((1,), (2,)), dedup=0b101,
             items=(0,), collectors=2, forget=0b110, max_log=5, large=True,
             reached=('deleted', 'lifted', 'told', 'aborted')),
    # A collector stands between its LIST and its mark while the condemnation is lifted and made anew.
    Scenario('condemned again', 'CC-', **SHARED | dict(log=F0 + (('C', 0, 0),)), writers=((2,),), dedup=1,
             items=(0,), collectors=2, starts=(('wait', 0, 1, -1, -1, 0, 0),), forget=0b010, uploads=False,
             reached=('deleted', 'lifted', 'told'), mutants=('delete_not_bound',)),
    Scenario('unforget', 'C', **FORGOTTEN, items=(0, 1), collectors=2, forget=1, unforget=1,
             reached=('deleted', 'unforgotten', 'lifted', 'retired'),
             mutants=('unforget_unchecked', 'unforget_of_old_view', 'delete_at_any_head')),
    Scenario('unforgotten parent', 'C-', **FORGOTTEN, writers=((1,),), dedup=1, parent=0, items=(0,),
             forget=1, unforget=1, max_log=7, reached=('deleted', 'unforgotten', 'lifted', 'told'),
             mutants=('parent_trusted',)),
    Scenario('checkpoint', '--', writers=((0, 1),), checkpoints=0b01, runs=(0b11,), items=(0,),
             forget=0b10, abandon=1, max_log=4, reached=('abandoned', 'deleted', 'lifted', 'told'),
             mutants=('checkpoint_not_pinned', 'memory_trusted')),
    # The run is over, its snapshot forgotten: in which order may its transactions go?
    Scenario('checkpoint retired', 'CC', ((1, 1), (1, 2)), (1,), (('F', 1),), checkpoints=0b01,
             runs=(0b11,), items=(0, 1, 3), abandon=1, max_log=7,
             reached=('abandoned', 'deleted', 'retired'), mutants=('retire_newer_first',)),
    Scenario('run with aborts', '---', writers=((0, 1, 2),), checkpoints=0b001, runs=(0b111,),
             items=(0, 1, 3), forget=0b110, abandon=1, large=True,
             reached=('abandoned', 'deleted', 'lifted', 'retired', 'aborted')),
    # A pack of two slots of which at first only slot 0 is live; later perhaps only slot 1.
    Scenario('relocation', 'CC-', ((3, 1), (1, 2)), (3,), F0, writers=((2,),), dedup=3, items=(0,),
             collectors=2, forget=0b010, uploads=False, old_views=True,
             reached=('deleted', 'lifted', 'moved', 'told'),
             mutants=('next_generation', 'delete_before_put', 'remove_before_delete', 'awaited_swept',
                      'unborn_swept', 'condemned_used')),
    # The same pack may be written anew meanwhile, because its object is damaged; a slot may be deleted.
    Scenario('repair', 'CC-', ((3, 1), (1, 2)), (3,), F0, writers=((2,),), dedup=3, items=(0,),
             forget=0b010, uploads=False, heal=True, max_log=5,
             reached=('deleted', 'lifted', 'moved', 'told'), mutants=('heal_keeps_needed',)),
    Scenario('repair beside a prune', 'CC-', ((3, 1), (1, 2)), (3,), F0, writers=((2,),), dedup=3,
             items=(0,), collectors=2, forget=0b010, uploads=False, heal=True, max_log=4, large=True,
             reached=('deleted', 'lifted', 'moved', 'told')),
    # Slot 0 is lost, and snapshot 0 needs it. A writer that meets its content stores it again; repair fills
    # it in.
    Scenario('wanted', 'C-', ((3, 1),), (2,), (('W', 0, 1),), writers=((1,),), dedup=3, items=(0,),
             forget=0b11, heal=True, lost=1, max_log=5,
             reached=('deleted', 'moved', 'told', 'wanted', 'found'),
             mutants=('lost_used', 'fill_drops', 'found_before_delete', 'found_unseen')),
    Scenario('wanted beside a prune', 'CC-', ((1, 1), (2, 2)), (2,), (('W', 0, 1),), writers=((2,),), dedup=3,
             items=(0,), collectors=2, forget=0b011, heal=True, lost=1, max_log=4, large=True,
             reached=('moved', 'told', 'found')),
    # Transactions 0 and 2 are of a key domain, which is erased while 2 is under way and a prune decides; 1 is
    # of none.
    Scenario('erasure', 'CC-', ((1, 1), (4, 2)), (1, 4), writers=((2,),), dedup=1, items=(0, 1),
             erase=0b101, max_log=3, reached=('deleted', 'retired', 'erased', 'told', 'aborted'),
             mutants=('erasure_not_confirmed', 'erase_lists_commits')),
    Scenario('relocation and a reader', 'CC', ((3, 1), (1, 2)), (3,), F0, items=(0,), collectors=2,
             forget=0b010, reader=(1, 0), reached=('deleted', 'moved'), mutants=('reader_gives_up',)),
    Scenario('unreadable', 'CC-', **SHARED, writers=((2,),), dedup=1, items=(0,), forget=0b110,
             damage=(('fate', 1), ('refs', 1)), max_log=5, reached=('deleted', 'told'),
             mutants=('fate_taken_as_absent', 'refs_taken_as_empty')),
    Scenario('unreadable log', 'C-', **FORGOTTEN, writers=((1,),), dedup=1, items=(0,), forget=0b10,
             damage=(('log', 1),), max_log=5, reached=('deleted', 'lifted', 'told'),
             mutants=('log_entry_skipped',)),
    # Transaction 1 needs nothing of the forgotten 0 but a reference page.
    Scenario('shared pages', 'CC-', ((1, 1), (4, 1)), (1, 4), F0, writers=((2,),), dedup=4, pages=1,
             items=(1, 3), collectors=2, forget=0b110, max_log=4, reached=('retired', 'lifted', 'told'),
             mutants=('page_not_counted', 'condemned_page')),
    # Transaction 0 was aborted; 1 took its pack over.
    Scenario('retirement', 'AC--', ((0, 0), (1, 2)), (1,), writers=((2, 3),), dedup=1, items=(0, 1),
             forget=0b1110, max_log=4, reached=('retired', 'lifted', 'told'),
             mutants=('retire_with_slots', 'adopts_condemned')),
    # Transaction 1 stored nothing of its own: only its fate is of worth.
    Scenario('retirement of a live commit', 'CC', ((1, 1), (1, 1)), (1,), items=(3,), collectors=2,
             forget=0b10, max_log=4, reached=('retired',), mutants=('retire_live',)),
    # A writer lost its memory and takes a name again.
    Scenario('names', 'A-', packs=(1,), writers=((0, 1),), items=(1,), collectors=2, max_log=4,
             reached=('retired', 'told'), mutants=('name_reused',)),
    # A writer sleeps while its transaction is aborted, retired, and its ABORT removed.
    Scenario('sleeper', 'C--', **FORGOTTEN, writers=((1, 2),), dedup=1, items=(0, 3), max_log=5,
             reached=('retired', 'aborted', 'told'), mutants=('not_confirmed',)),
)
