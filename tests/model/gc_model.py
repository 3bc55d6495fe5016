#!/usr/bin/env python3
"""Explicit-state model check of commit and garbage collection (docs/decisions/0002-garbage-collection.md).

Writers, collectors, an administrator, a reader and a damaging environment take single steps in every possible order,
from small starting repositories. After each step every live snapshot must be intact. Each rule of the protocol can
be switched off (a "mutant"), and the checker must then find a snapshot lost: a rule whose mutant survives is either
superfluous or not covered.

What stands for what. Transactions are 0, 1, 2, …; transaction x has one pack with slots 2x and 2x+1, and one object
of reference pages. Sets are bit masks. An *item* is what a log entry condemns: 2x is the pack of x, 2x+1 is the whole
transaction x (its own objects, and everything else under its name). One store operation is one step; LIST and
the mark go over the undecided transactions one by one. A crash of a collector is a step back to `idle` from anywhere; a
crash of a writer is a writer that is never scheduled again.

    gc_model.py --quick          every scenario and mutant, small (seconds)
    gc_model.py --full           also with longer logs and more processes (minutes)
    gc_model.py NAME [MUTANT]    one scenario, with a trace where it fails
"""
import sys
import time
from functools import lru_cache
from typing import NamedTuple

from gc_scenarios import IDLE, SCENARIOS



class State(NamedTuple):
    opened: int                 # t/x/open is there
    commits: int                # t/x/fate is there: COMMIT
    aborts: int                 # t/x/fate is there: ABORT
    pages: int                  # t/x/refs is there
    packs: tuple                # per transaction: ((generation, slots), …) that are there
    refs: tuple                 # per transaction: (slots, page owners) of its commit
    log: tuple                  # F forget, U unforget, B abandon (x); C (item, kept); L lift, D delete (item, c, kept)
    writers: tuple              # pc, position in names, view, slots stored by this run, chosen slots, chosen pages
    collectors: tuple
    reader: tuple
    told: int                   # transactions whose writer was told "done"
    damaged: int                # bits of Scenario.damage


class View(NamedTuple):
    """What a prefix of the log says."""
    forgotten: int
    abandoned: int
    condemned: tuple            # per item: the entry whose condemnation is in force, or -1
    kept: tuple                 # per item: slots outside that condemnation
    have: tuple                 # per transaction: slots of its pack not deleted
    generation: tuple           # per transaction: generation of its pack's object; -1 none
    retired: int                # transactions deleted as a whole


def bits(mask):
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def put(seq, i, value):
    return seq[:i] + (value,) + seq[i + 1:]


class Model:
    def __init__(self, scenario, mutant=''):
        self.s, self.mutant = scenario, mutant
        self.n = len(scenario.fates)
        self.late = [x for x in range(self.n) if scenario.fates[x] == '-']  # undecided at the start
        self.view = lru_cache(None)(self.view)

    # -- the log -------------------------------------------------------------------------------------------------

    def view(self, log, skip=-1):
        """Folds the log. A DELETE is void unless its condemnation is in force."""
        forgotten = abandoned = retired = 0
        condemned, kept = [-1] * (2 * self.n), [0] * (2 * self.n)
        have, generation = [3 << 2 * x for x in range(self.n)], [0] * self.n
        for number, entry in enumerate(log):
            kind, at = entry[0], entry[1]
            if number == skip:
                continue
            if kind == 'F':
                forgotten |= 1 << at
            elif kind == 'U':
                forgotten &= ~(1 << at)
            elif kind == 'B':
                abandoned |= 1 << at
            elif kind == 'C':
                condemned[at], kept[at] = number, entry[2]
            elif kind == 'L' and condemned[at] == entry[2]:
                condemned[at] = -1
            elif kind == 'D' and (condemned[at] == entry[2] or self.mutant == 'delete_not_bound'):
                condemned[at], x = -1, at // 2
                if at % 2:
                    retired |= 1 << x
                have[x] &= 0 if at % 2 else entry[3]
                generation[x] = entry[4] if have[x] else -1
        return View(forgotten, abandoned, tuple(condemned), tuple(kept), tuple(have), tuple(generation), retired)

    def usable(self, view, slots, pages=0):
        """May a transaction that read this log refer to these slots and pages?"""
        for slot in bits(slots):
            x = slot // 2
            if not view.have[x] >> slot & 1:
                return False
            if self.mutant != 'condemned_used' and view.condemned[2 * x] >= 0 and not view.kept[2 * x] >> slot & 1:
                return False
            if view.condemned[2 * x + 1] >= 0 and self.mutant != 'adopts_condemned':
                return False
        return all(not view.retired >> y & 1 and (view.condemned[2 * y + 1] < 0 or self.mutant == 'condemned_page')
                   for y in bits(pages))

    def live(self, commits, view):
        """Commits that pin their references: snapshots not forgotten, and checkpoints not superseded or abandoned."""
        commits &= ~view.retired
        pinned = 0
        for x in bits(commits):
            if self.s.checkpoints >> x & 1:
                run = next(r for r in self.s.runs if r >> x & 1)
                superseded = commits & run & ~((2 << x) - 1)
                if superseded or view.abandoned >> x & 1 or self.mutant == 'checkpoint_not_pinned':
                    continue
            elif view.forgotten >> x & 1:
                continue
            pinned |= 1 << x
        return pinned

    def referenced(self, refs, item, kept, live, commits, view):
        """Does a live commit need what a deletion of `item` outside `kept` would remove?"""
        x = item // 2
        slots = 3 << 2 * x
        if item % 2:
            if live >> x & 1 and self.mutant != 'retire_live':
                return True
            run = next((r for r in self.s.runs if r >> x & 1), 0)  # an older checkpoint would rise from the dead
            older = commits & run & self.s.checkpoints & ((1 << x) - 1) & ~view.retired & ~view.abandoned
            if older and self.mutant != 'retire_newer_first':
                return True
        for y in bits(live):
            if item % 2 and refs[y][1] >> x & 1 and self.mutant != 'page_not_counted':
                return True
            if refs[y][0] & slots & ~(0 if item % 2 else kept) and not (item % 2 and self.mutant == 'retire_with_slots'):
                return True
        return False

    # -- steps ---------------------------------------------------------------------------------------------------

    def successors(self, st):
        yield from self.writers(st)
        yield from self.collectors(st)
        yield from self.others(st)

    def writers(self, st):
        m = self.mutant
        for w, (pc, at, view, stored, slots, pages) in enumerate(st.writers):
            names = self.s.writers[w]
            if at >= len(names):
                continue
            x = names[at]
            bit = 1 << x

            def go(*local, **change):
                return st._replace(writers=put(st.writers, w, local), **change)

            again = ('open', at + 1, -1, stored, 0, 0)  # aborted, or the name is taken: the next one
            if pc == 'open':  # W1
                if st.opened & bit:
                    yield go(*again)
                elif m == 'log_before_open':
                    yield go('open_late', at, len(st.log), stored, 0, 0)
                else:
                    yield go('read', at, -1, stored, 0, 0, opened=st.opened | bit)
            elif pc == 'open_late':
                yield go('choose', at, view, stored, 0, 0, opened=st.opened | bit)
            elif pc == 'read':  # W2
                blind = self.blind(st)
                if blind >= 0 and m != 'log_entry_skipped':
                    continue
                seen = self.view(st.log, blind)
                if seen.retired & bit and m != 'name_reused':
                    yield go(*again)
                else:
                    yield go('choose', at, len(st.log) | (blind + 1) << 8, stored, 0, 0)
            elif pc == 'choose':  # W3: which slots to refer to
                seen = self.view(st.log[:view & 255], (view >> 8) - 1)
                shared = [0] + [1 << y for y in bits(self.s.pages) if self.usable(seen, 0, 1 << y)]
                now = self.view(st.log)  # the index knows what was uploaded, not what is still there
                options = [1 << slot for slot in bits(self.s.dedup) if self.usable(seen, 1 << slot)
                           and (st.packs[slot // 2] or now.generation[slot // 2])]
                if stored and (self.usable(seen, stored) or m == 'memory_trusted'):
                    options.append(stored)
                if self.s.parent >= 0 and m == 'parent_trusted' and self.live(st.commits & 1 << self.s.parent, seen):
                    options.append(st.refs[self.s.parent][0])
                for owner in shared:
                    for option in options:
                        yield go('commit', at, -1, stored, option, owner or bit, pages=st.pages | (0 if owner else bit))
                    if self.s.uploads:
                        own = 1 << 2 * x
                        yield go('commit', at, -1, own, own, owner or bit, pages=st.pages | (0 if owner else bit),
                                 packs=put(st.packs, x, tuple(sorted({*st.packs[x], (0, own)}))))
            elif pc == 'commit':  # W4: the decision
                if (st.commits | st.aborts) & bit:
                    yield go(*again)
                else:
                    yield go('confirm', at, -1, slots, 0, 0, commits=st.commits | bit, refs=put(st.refs, x, (slots, pages)))
            elif pc == 'confirm':  # W5: was the name retired under us?
                if self.view(st.log).retired & bit and m not in ('not_confirmed', 'name_reused'):
                    yield go(*again)
                elif self.s.checkpoints & bit:
                    yield go('open', at + 1, -1, stored, 0, 0, told=st.told | bit)
                else:
                    yield go('done', len(names), -1, 0, 0, 0, told=st.told | bit)

    def blind(self, st):
        """The log entry that can't be read now, or -1."""
        return next((k for d, (kind, k) in enumerate(self.s.damage)
                     if kind == 'log' and st.damaged >> d & 1 and k < len(st.log)), -1)

    def unreadable(self, st):
        """Transactions with an unreadable fate, and with unreadable reference pages."""
        found = {'fate': 0, 'refs': 0, 'log': 0}
        for d, (kind, x) in enumerate(self.s.damage):
            found[kind] |= (st.damaged >> d & 1) << x
        return found['fate'], found['refs']

    def collectors(self, st):
        done = set()
        for g, local in enumerate(st.collectors):
            if local in done:  # collectors in the same state are interchangeable
                continue
            done.add(local)
            rest = st.collectors[:g] + st.collectors[g + 1:]

            def go(*new, **change):
                return st._replace(collectors=tuple(sorted(rest + (new or IDLE,))), **change)

            if local[0] == 'idle':
                yield from self.begin(st, go)
            else:
                yield go()  # crash
                yield from self.collect(st, local, go)

    def begin(self, st, go):
        """G1: choose something to condemn, a condemnation to carry on with, or an object to sweep."""
        if self.blind(st) >= 0 and self.mutant != 'log_entry_skipped':
            return
        view = self.view(st.log, self.blind(st))
        if any(self.unreadable(st)) and self.mutant not in ('fate_taken_as_absent', 'refs_taken_as_empty'):
            return
        for kind, x, generation in sorted(self.garbage(st)):
            yield go('sweep', x, generation, -1, -1, 'ofrp'.index(kind), 0)
        if len(st.log) >= self.s.max_log:
            return
        unknown, empty = self.unreadable(st)
        commits = st.commits & ~unknown
        refs = tuple((0, 0) if empty >> x & 1 else r for x, r in enumerate(st.refs))
        live = self.live(commits, view)
        for item in self.s.items:
            x = item // 2
            if view.retired >> x & 1 or not (st.commits | st.aborts) >> x & 1:
                continue
            needed = 0
            for y in bits(live):
                needed |= refs[y][0]
            kept = needed & view.have[x] if item % 2 == 0 else 0
            c = view.condemned[item]
            if c >= 0:
                yield go('list', item, c, -1, 0, 0, view.kept[item])
            if c >= 0 and view.kept[item] == kept or self.referenced(refs, item, kept, live, commits, view):
                continue
            if item % 2 or view.have[x] & ~kept and st.packs[x]:
                yield go('condemn', item, -1, len(st.log), -1, 0, kept)

    def collect(self, st, local, go):
        pc, item, c, head, i, seen, kept = local
        m, x = self.mutant, item // 2
        decided = st.commits | st.aborts
        if pc == 'condemn':  # G2
            if len(st.log) == head:
                yield go('list', item, head, -1, 0, 0, kept, log=st.log + (('C', item, kept),))
        elif pc == 'list':  # G3: who was open?
            if m == 'no_wait':
                yield go('mark', item, c, len(st.log), 0, st.commits, kept)
            elif i < len(self.late):
                y = self.late[i]
                undecided = st.opened & ~decided & 1 << y
                yield go('list', item, c, -1, i + 1, seen | undecided, kept)
            elif m == 'mark_before_decision':
                yield go('wait', item, c, len(st.log), st.commits, seen, kept)
            else:
                yield go('wait', item, c, -1, -1, seen, kept)
        elif pc == 'wait':  # G4: wait for them, or abort them
            for y in bits(seen & ~decided):
                yield go(*local, aborts=st.aborts | 1 << y)
            if not seen & ~decided:
                if m == 'mark_before_decision':
                    yield go('mark', item, c, head, len(self.late), i, kept)
                else:
                    early = st.commits & ~sum(1 << y for y in self.late)
                    yield go('mark', item, c, len(st.log), 0, early, kept)
        elif pc == 'mark':  # G5: what is live now, as of the log's head?
            view = self.view(st.log[:head], self.blind(st) if m == 'log_entry_skipped' else -1)
            unknown, empty = self.unreadable(st)
            if (unknown and m != 'fate_taken_as_absent' or empty and m != 'refs_taken_as_empty'
                    or self.blind(st) >= 0 and m != 'log_entry_skipped'):
                return  # refuse
            if i < len(self.late):
                yield go('mark', item, c, head, i + 1, seen | st.commits & 1 << self.late[i], kept)
                return
            if view.condemned[item] != c and m != 'delete_not_bound':
                return
            refs = tuple((0, 0) if empty >> y & 1 else r for y, r in enumerate(st.refs))
            commits = seen & ~unknown
            if self.referenced(refs, item, kept, self.live(commits, view), commits, view):
                yield go('lift', item, c, head, -1, 0, 0)
            elif kept and m != 'delete_before_put':
                yield go('put', item, c, head, -1, 0, kept)
            else:
                yield go('delete', item, c, head, -1, 0, kept)
        elif pc == 'lift':  # G6
            if len(st.log) == head and head < self.s.max_log:
                yield go(log=st.log + (('L', item, c),))
        elif pc in ('put', 'put_late'):  # G7: the new generation, before the DELETE that names it
            view = self.view(st.log[:head])
            generation = view.generation[x] + 1 if m == 'next_generation' else c + 1
            source = dict(st.packs[x]).get(view.generation[x])
            if source is None:
                return
            packs = st.packs
            if generation not in dict(packs[x]):
                packs = put(packs, x, tuple(sorted((*packs[x], (generation, source & kept)))))
            if pc == 'put_late':
                yield go(packs=packs)
                return
            if m == 'remove_before_delete':
                packs = put(packs, x, tuple(o for o in packs[x] if o[0] == generation))
            yield go('delete', item, c, head, generation, 0, kept, packs=packs)
        elif pc == 'delete':  # G8
            if (len(st.log) == head or m == 'delete_at_any_head') and len(st.log) < self.s.max_log:
                log = st.log + (('D', item, c, kept, i if m == 'next_generation' else c + 1),)
                yield go(*(('put_late', item, c, head, -1, 0, kept) if m == 'delete_before_put' and kept else ()), log=log)
        elif pc == 'sweep':  # G9: whatever the log says is garbage stays garbage
            x, generation, kind = item, c, 'ofrp'[seen]
            if kind == 'p':
                yield go(packs=put(st.packs, x, tuple(o for o in st.packs[x] if o[0] != generation)))
            else:
                keep = ~(1 << x)
                yield go(opened=st.opened & keep if kind == 'o' else st.opened,
                         pages=st.pages & keep if kind == 'r' else st.pages,
                         commits=st.commits & keep if kind == 'f' else st.commits,
                         aborts=st.aborts & keep if kind == 'f' else st.aborts)

    def garbage(self, st):
        """Objects that may be removed: (kind, transaction, generation). What is garbage stays garbage."""
        found = set()
        for head in range(0 if self.s.old_views else len(st.log), len(st.log) + 1):
            view = self.view(st.log[:head])
            for x in range(self.n):
                for kind, there in (('o', st.opened), ('f', st.commits | st.aborts), ('r', st.pages)):
                    if view.retired & there & 1 << x:
                        found.add((kind, x, -1))
                awaited = view.condemned[2 * x] + 1 if self.mutant != 'awaited_swept' else 0
                for generation, _ in st.packs[x]:
                    if generation > head and self.mutant != 'unborn_swept':  # its CONDEMN is beyond this view
                        continue
                    if generation != view.generation[x] and generation != (awaited or -1):
                        found.add(('p', x, generation))
        return found

    def others(self, st):
        s, m = self.s, self.mutant
        view = self.view(st.log)
        if len(st.log) < s.max_log:
            for x in bits(st.commits & ~view.retired):
                if s.forget >> x & 1 and not view.forgotten >> x & 1 and not s.checkpoints >> x & 1:
                    yield st._replace(log=st.log + (('F', x),))
                if s.abandon >> x & 1 and not view.abandoned >> x & 1:
                    yield st._replace(log=st.log + (('B', x),))
                if s.unforget >> x & 1 and view.forgotten >> x & 1:
                    views = [view]
                    if m == 'unforget_of_old_view':  # checked, then appended wherever the head is
                        views = [self.view(st.log[:k]) for k in range(len(st.log) + 1)]
                    if m == 'unforget_unchecked' or any(self.whole(st, x, v) for v in views):
                        yield st._replace(log=st.log + (('U', x),))
        for d in range(len(s.damage)):
            if st.damaged in (0, 1 << d):
                yield st._replace(damaged=st.damaged ^ 1 << d)
        if st.reader and st.reader[0] != 'failed':
            (snapshot, slot), (pc, generation) = s.reader, st.reader
            if pc == 'look':
                yield st._replace(reader=('get', view.generation[slot // 2]))
            elif generation in dict(st.packs[slot // 2]):
                yield st._replace(reader=('look', -1))
            else:  # gone: look again, unless the log just read says the same
                again = generation != view.generation[slot // 2] and m != 'reader_gives_up'
                yield st._replace(reader=('look' if again else 'failed', -1))

    def whole(self, st, x, view):
        """Nothing that snapshot x needs was deleted."""
        slots, pages = st.refs[x]
        return (not view.retired & (pages | 1 << x)
                and all(view.have[slot // 2] >> slot & 1 for slot in bits(slots)))

    # -- what must hold ------------------------------------------------------------------------------------------

    def wrong(self, st):
        view = self.view(st.log)
        live = self.live_truth(st.commits, view)
        for x in bits(live):
            slots, pages = st.refs[x]
            if pages & ~st.pages:
                return f'commit {x} lost its reference pages'
            for slot in bits(slots):
                if not dict(st.packs[slot // 2]).get(view.generation[slot // 2], 0) >> slot & 1:
                    return f'commit {x} lost slot {slot}'
        for x in bits(st.told & ~live):
            checkpoint = self.s.checkpoints >> x & 1
            run = next((r for r in self.s.runs if r >> x & 1), 0)
            later = any(st.refs[y][0] for y in bits(run & ~((2 << x) - 1)))  # ever committed
            if checkpoint and (view.abandoned >> x & 1 or later):
                continue
            if checkpoint or not view.forgotten >> x & 1:
                return f'commit {x} was reported as done and is gone'
        if st.reader and st.reader[0] == 'failed' and live >> self.s.reader[0] & 1:
            return 'a reader of a live snapshot gave up'
        return None

    def live_truth(self, commits, view):
        mutant, self.mutant = self.mutant, ''
        live = self.live(commits, view)
        self.mutant = mutant
        return live

    # -- the search ----------------------------------------------------------------------------------------------

    def start(self):
        s = self.s
        commits = sum(1 << x for x in range(self.n) if s.fates[x] == 'C')
        aborts = sum(1 << x for x in range(self.n) if s.fates[x] == 'A')
        packs = tuple(((0, slots),) if slots else () for slots in s.packs) + ((),) * (self.n - len(s.packs))
        refs = s.refs + ((0, 0),) * (self.n - len(s.refs))
        starts = tuple(sorted(s.starts + (IDLE,) * (s.collectors - len(s.starts))))
        return State(commits | aborts, commits, aborts, commits, packs, refs, s.log,
                     (('open', 0, -1, 0, 0, 0),) * len(s.writers), starts, ('look', -1) if s.reader else (), commits, 0)

    def run(self, limit):
        """Breadth first. The number of states, what was reached, and a shortest path to a violation or None."""
        first = self.start()
        came = {first: None}
        level, reached, logs = [first], set(), set()
        while level:
            following = []
            for st in level:
                reached |= {'told' * (st.told != first.told), 'aborted' * (st.aborts != first.aborts)}
                logs.add(st.log)
                trouble = self.wrong(st)
                if trouble:
                    path = [st]
                    while came[path[-1]]:
                        path.append(came[path[-1]])
                    return len(came), reached, (trouble, path[::-1])
                for nxt in self.successors(st):
                    if nxt not in came:
                        came[nxt] = st
                        following.append(nxt)
            if len(came) > limit:
                raise SystemExit(f'{self.s.name}: more than {limit} states')
            level = following
        for log in logs:
            for e in log:
                reached.add(e[0] if e[0] != 'D' else 'retired' if e[1] % 2 else 'moved' if e[3] else 'D')
        return len(came), reached, None


def widened(scenario):
    """The same with one more process or a longer log, for long runs."""
    yield scenario._replace(name=scenario.name + '+log', max_log=scenario.max_log + 1)
    if scenario.collectors == 1:
        yield scenario._replace(name=scenario.name + '+collector', collectors=2)


def show(path):
    before = None
    for st in path:
        now = {k: v for k, v in st._asdict().items()}
        print('  ', {k: v for k, v in now.items() if before is None or before[k] != v})
        before = now


def check(scenario, limit, verbose=False):
    """True where the protocol holds and each mutant is caught."""
    good, began = True, time.monotonic()
    states, reached, trouble = Model(scenario).run(limit)
    missing = [what for what in scenario.reached if what not in reached]
    good = not trouble and not missing
    print(f'{"ok  " if good else "FAIL"} {scenario.name}: {states} states, {time.monotonic() - began:.1f} s'
          + (f', never reached: {missing}' if missing else '') + (f', {trouble[0]}' if trouble else ''), flush=True)
    if trouble and verbose:
        show(trouble[1])
    return good


def check_mutant(scenario, mutant, limit, verbose=False):
    states, _, trouble = Model(scenario, mutant).run(limit)
    print(f'{"ok  " if trouble else "FAIL"}   without {mutant}: '
          + (f'{trouble[0]}, {len(trouble[1]) - 1} steps, {states} states' if trouble else f'survives, {states} states'),
          flush=True)
    if trouble and verbose:
        show(trouble[1])
    return bool(trouble)


def main(arguments):
    limit = 20_000_000
    if arguments and not arguments[0].startswith('-'):
        scenario = next(s for s in SCENARIOS if s.name == arguments[0])
        good = check(scenario, limit, True) if len(arguments) == 1 else check_mutant(scenario, arguments[1], limit, True)
        return 0 if good else 1
    good = True
    for scenario in SCENARIOS:
        good &= check(scenario, limit)
        for mutant in scenario.mutants:
            good &= check_mutant(scenario, mutant, limit)
        if '--full' in arguments:
            for wide in widened(scenario):
                good &= check(wide, limit)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
