"""The protocol of docs/decisions/0002-garbage-collection.md as single steps: W, G, A and R are its rules.

One operation on the store is one step. LIST and the mark go over the transactions that were undecided at the
start one by one; those decided at the start don't change but by retirement. A crash of a collector is a step
back to `idle` from anywhere; a crash of a writer is a writer that takes no more steps, which every prefix of
a run covers. Reading the log to its head is one step: entries are never changed, and the head is
where the next
one was not found.
"""
from functools import lru_cache
from typing import NamedTuple

from gc_scenarios import IDLE


class State(NamedTuple):
    opened: int       # transactions x whose t/x/open is there
    commits: int      # t/x/fate is there: COMMIT
    aborts: int       # t/x/fate is there: ABORT
    pages: int        # t/x/refs is there
    packs: tuple      # per transaction: ((generation, slots), …) of its pack's objects that are there
    refs: tuple       # per transaction: (slots, page owners) of its commit; (0, 0): it never committed
    log: tuple        # F forget, U unforget, B abandon: (kind, x); C condemn: ('C', item, kept slots);
                      # L lift: ('L', item, c); D delete: ('D', item, c, kept slots, generation);
                      # W lost (wanted), V found: (kind, item, slots); E erase: ('E', transactions)
    writers: tuple    # (pc, place in names, view, slot stored by this run, chosen slot, chosen page owners)
    collectors: tuple
    reader: tuple     # (pc, generation)
    told: int         # transactions that were reported as done
    damaged: int      # of Scenario.damage, what is unreadable now


class View(NamedTuple):
    """What a prefix of the log says."""
    forgotten: int
    abandoned: int
    condemned: tuple  # per item: the entry whose condemnation is in force, or -1
    kept: tuple       # per item: the slots that it keeps
    have: tuple       # per transaction: slots of its pack that are not deleted
    generation: tuple  # per transaction: present generation of its pack; -1 none
    retired: int
    lost: int         # slots that are wanted: their content is gone
    erased: int       # transactions of a key domain that was erased, committed or not


def bits(mask):
    return [i for i in range(mask.bit_length()) if mask >> i & 1]


def put(seq, i, value):
    return seq[:i] + (value,) + seq[i + 1:]


class Protocol:
    """A scenario, and perhaps a mutant: the name of the rule that is not followed."""

    def __init__(self, scenario, mutant=''):
        self.s, self.mutant = scenario, mutant
        self.n = len(scenario.fates)
        self.late = [x for x in range(self.n) if scenario.fates[x] == '-']
        self.view = lru_cache(None)(self.fold)

    def start(self):
        s = self.s
        commits = sum(1 << x for x in range(self.n) if s.fates[x] == 'C')
        aborts = sum(1 << x for x in range(self.n) if s.fates[x] == 'A')
        packs = tuple(((0, slots),) for slots in s.packs)
        return State(opened=commits | aborts, commits=commits, aborts=aborts, pages=commits,
                     packs=packs + ((),) * (self.n - len(packs)),
                     refs=s.refs + ((0, 0),) * (self.n - len(s.refs)), log=s.log,
                     writers=(('open', 0, -1, -1, -1, 0),) * len(s.writers),
                     collectors=tuple(sorted(s.starts + (IDLE,) * (s.collectors - len(s.starts)))),
                     reader=('look', -1) if s.reader else (), told=commits, damaged=0)

    def successors(self, st):
        yield from self.writers(st)
        yield from self.collectors(st)
        yield from self.administrator(st)
        yield from self.reader(st)
        for d in range(len(self.s.damage)):  # one thing at a time becomes unreadable, or readable again
            if st.damaged in (0, 1 << d):
                yield st._replace(damaged=st.damaged ^ 1 << d)

    # -- what the log means ------------------------------------------------------------------------------

    def fold(self, log, skip=-1):
        forgotten = abandoned = retired = lost = erased = 0
        condemned, kept = [-1] * (2 * self.n), [0] * (2 * self.n)
        have, generation = [3 << 2 * x for x in range(self.n)], [0] * self.n
        for number, (kind, at, *rest) in enumerate(log):
            if number == skip:
                continue
            if kind == 'F':
                forgotten |= 1 << at
            elif kind == 'U':
                forgotten &= ~(1 << at)
            elif kind == 'B':
                abandoned |= 1 << at
            elif kind == 'E':
                erased |= at
            elif kind == 'C':
                condemned[at], kept[at] = number, rest[0]
            elif kind in 'WV':
                lost = lost | rest[0] if kind == 'W' else lost & ~rest[0]
            elif condemned[at] != rest[0] and (kind == 'L' or self.mutant != 'delete_not_bound'):
                continue  # void: another condemnation is in force, or none
            else:
                condemned[at], x = -1, at // 2
                if kind == 'D':
                    retired |= at % 2 << x
                    have[x] &= 0 if at % 2 else rest[1]
                    generation[x] = rest[2] if have[x] else -1
        return View(forgotten, abandoned, tuple(condemned), tuple(kept), tuple(have), tuple(generation),
                    retired, lost, erased)

    def live(self, commits, view):
        """Commits that pin what they refer to: snapshots, and checkpoints that nothing has superseded."""
        live = 0
        for x in bits(commits & ~view.retired & ~view.erased):
            if not self.s.checkpoints >> x & 1:
                live |= (~view.forgotten >> x & 1) << x
            elif (not commits & ~view.retired & self.later(x) and not view.abandoned >> x & 1
                    and self.mutant != 'checkpoint_not_pinned'):
                live |= 1 << x
        return live

    def later(self, x):
        """The transactions of the same run after x."""
        return sum(run for run in self.s.runs if run >> x & 1) & ~((2 << x) - 1)

    def earlier(self, x):
        return sum(run for run in self.s.runs if run >> x & 1) & ((1 << x) - 1)

    def unreadable(self, st):
        """Transactions with an unreadable fate, with unreadable pages, and an unreadable log entry or -1."""
        fates = refs = 0
        entry = -1
        for d in bits(st.damaged):
            kind, at = self.s.damage[d]
            if kind == 'log' and at < len(st.log):
                entry = at
            fates |= (kind == 'fate') << at
            refs |= (kind == 'refs') << at
        return fates, refs, entry

    def observed(self, st, commits):
        """G0: (commits, their references, the unreadable log entry) as a collector reads them; or None."""
        fates, refs, entry = self.unreadable(st)
        if (fates and self.mutant != 'fate_taken_as_absent' or refs and self.mutant != 'refs_taken_as_empty'
                or entry >= 0 and self.mutant != 'log_entry_skipped'):
            return None
        seen = tuple((0, 0) if refs >> x & 1 else r for x, r in enumerate(st.refs))
        return commits & ~fates, seen, entry

    # -- writers -------------------------------------------------------------------------------------------

    def usable(self, view, slot=-1, owner=-1):
        """W3: may a transaction with this view of the log refer to that slot, or to a page of that owner?"""
        x = slot // 2 if slot >= 0 else owner
        if view.retired >> x & 1:
            return False
        mutant = 'adopts_condemned' if slot >= 0 else 'condemned_page'
        if view.condemned[2 * x + 1] >= 0 and self.mutant != mutant:
            return False
        if slot < 0:
            return True
        if view.lost >> slot & 1 and self.mutant != 'lost_used':
            return False
        condemned = view.condemned[2 * x] >= 0 and not view.kept[2 * x] >> slot & 1
        return view.have[x] >> slot & 1 and (not condemned or self.mutant == 'condemned_used')

    def writers(self, st):
        m = self.mutant
        for w, (pc, at, view, stored, slot, owner) in enumerate(st.writers):
            names = self.s.writers[w]
            if at >= len(names):
                continue
            x = names[at]
            bit = 1 << x

            def go(*local, **change):
                return st._replace(writers=put(st.writers, w, local), **change)

            def again():  # the name is taken, retired or aborted: the next one
                return go('open', at + 1, -1, stored, -1, 0)

            if pc == 'open':  # W1
                if st.opened & bit:
                    yield again()
                elif m == 'log_before_open':
                    yield go('open_late', at, (len(st.log), -1), stored, -1, 0)
                else:
                    yield go('read', at, -1, stored, -1, 0, opened=st.opened | bit)
            elif pc == 'open_late':
                yield go('choose', at, view, stored, -1, 0, opened=st.opened | bit)
            elif pc == 'read':  # W2
                entry = self.unreadable(st)[2]
                if entry >= 0 and m != 'log_entry_skipped':
                    continue
                if self.view(st.log, entry).retired & bit and m != 'name_reused':
                    yield again()
                else:
                    yield go('choose', at, (len(st.log), entry), stored, -1, 0)
            elif pc == 'choose':
                yield from self.choose(st, x, self.view(st.log[:view[0]], view[1]), stored,
                                       lambda stored, slot, owner, **change:
                                       go('commit', at, -1, stored, slot, owner, **change))
            elif pc == 'commit':  # W4
                if (st.commits | st.aborts) & bit:
                    yield again()
                else:
                    yield go('confirm', at, -1, slot, -1, 0, commits=st.commits | bit,
                             refs=put(st.refs, x, (1 << slot, owner)))
            elif pc == 'confirm':  # W5
                if self.view(st.log).retired & bit and m not in ('not_confirmed', 'name_reused'):
                    yield again()
                elif self.view(st.log).erased & bit and m != 'erasure_not_confirmed':
                    yield go('done', len(names), -1, -1, -1, 0)  # an error is told
                elif self.s.checkpoints & bit:
                    yield go('open', at + 1, -1, stored, -1, 0, told=st.told | bit)
                else:
                    yield go('done', len(names), -1, -1, -1, 0, told=st.told | bit)

    def choose(self, st, x, view, stored, go):
        """W3: the slot with the writer's one chunk, and the page that says so; new ones are put first."""
        slots = {slot for slot in bits(self.s.dedup) if self.usable(view, slot) and self.was_there(st, slot)}
        if stored >= 0 and self.was_there(st, stored):
            if self.usable(view, stored) or self.mutant == 'memory_trusted':
                slots.add(stored)
        if self.mutant == 'parent_trusted' and self.live(st.commits & 1 << self.s.parent, view):
            slots.update(bits(st.refs[self.s.parent][0]))
        own_page = (1 << x, st.pages | 1 << x)
        pages = [own_page] + [(1 << y, st.pages) for y in bits(self.s.pages) if self.usable(view, owner=y)]
        for owner, there in pages:
            for slot in sorted(slots):
                yield go(stored, slot, owner, pages=there)
            if self.s.uploads:
                own = tuple(sorted({*st.packs[x], (0, 1 << 2 * x)}))
                yield go(2 * x, 2 * x, owner, pages=there, packs=put(st.packs, x, own))

    def was_there(self, st, slot):
        """An index knows only what was once uploaded; whether it still is there it does not know."""
        return st.packs[slot // 2] or self.view(st.log).generation[slot // 2]

    # -- collectors ----------------------------------------------------------------------------------------

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
                yield go()  # a crash
                yield from self.collect(st, local, go)

    def begin(self, st, go):
        """G1: choose something to condemn, a condemnation to carry on with, or an object to sweep."""
        observed = self.observed(st, st.commits)
        if observed is None:
            return
        commits, refs, entry = observed
        view = self.view(st.log, entry)
        for kind, x, generation in sorted(self.garbage(st)):
            yield go('sweep', x, generation, -1, -1, 'ofrp'.index(kind), 0)
        if len(st.log) >= self.s.max_log:
            return
        live = self.live(commits, view)
        needed = 0
        for y in bits(live):
            needed |= refs[y][0]
        for item in self.s.items:
            x, c = item // 2, view.condemned[item]
            if view.retired >> x & 1 or not (st.commits | st.aborts) >> x & 1:
                continue
            kept = 0 if item % 2 else needed & view.have[x]
            if self.s.heal and item % 2 == 0 and view.have[x]:  # decision 7: write the pack anew, all of it
                yield go('heal', item, -1, len(st.log), -1, 0,
                         kept if self.mutant == 'heal_keeps_needed' else view.have[x])
            if c >= 0:
                yield go('list', item, c, -1, 0, 0, view.kept[item])
            if c >= 0 and view.kept[item] == kept or self.needed(refs, item, kept, live, commits, view):
                continue
            if item % 2 or view.have[x] & ~kept and st.packs[x]:
                yield go('condemn', item, -1, len(st.log), -1, 0, kept)

    def needed(self, refs, item, kept, live, commits, view):
        """G5: does something live need what a deletion of `item` but for `kept` would remove?"""
        m, x = self.mutant, item // 2
        slots = 3 << 2 * x & ~kept
        if item % 2 == 0:
            return any(refs[y][0] & slots for y in bits(live))
        if live >> x & 1 and m != 'retire_live':
            return True
        older = commits & self.earlier(x) & self.s.checkpoints & ~view.retired & ~view.abandoned
        if older and m != 'retire_newer_first':
            return True  # x alone is the reason why they are dead
        return any(refs[y][0] & slots and m != 'retire_with_slots'
                   or refs[y][1] >> x & 1 and m != 'page_not_counted' for y in bits(live))

    def collect(self, st, local, go):
        pc, item, c, head, i, seen, kept = local
        m, decided = self.mutant, st.commits | st.aborts
        if pc == 'condemn':  # G2
            if len(st.log) == head:
                yield go('list', item, head, -1, 0, 0, kept, log=st.log + (('C', item, kept),))
        elif pc == 'list':  # G3: who is open and undecided?
            if m == 'no_wait':
                yield go('mark', item, c, len(st.log), 0, st.commits, kept)
            elif i < len(self.late):
                yield go('list', item, c, -1, i + 1, seen | st.opened & ~decided & 1 << self.late[i], kept)
            elif m == 'mark_before_decision':
                yield go('wait', item, c, len(st.log), st.commits, seen, kept)
            else:
                yield go('wait', item, c, -1, -1, seen, kept)
        elif pc == 'wait':  # G4: they decide, or are aborted
            for y in bits(seen & ~decided):
                yield go(*local, aborts=st.aborts | 1 << y)
            if not seen & ~decided and m == 'mark_before_decision':
                yield go('mark', item, c, head, len(self.late), i, kept)
            elif not seen & ~decided:
                early = st.commits & ~sum(1 << y for y in self.late)
                yield go('mark', item, c, len(st.log), 0, early, kept)
        elif pc == 'mark' and i < len(self.late):  # G5: read the fates, one by one …
            if self.observed(st, 0) is not None:
                yield go('mark', item, c, head, i + 1, seen | st.commits & 1 << self.late[i], kept)
        elif pc == 'mark':  # … and judge, by the log up to `head`
            yield from self.judge(st, local, go)
        elif pc == 'lift':  # G6
            if len(st.log) == head < self.s.max_log:
                yield go(log=st.log + (('L', item, c),))
        elif pc in ('put', 'put_late'):
            yield from self.relocate(st, local, go)
        elif pc == 'delete':  # G8
            if (len(st.log) == head or m == 'delete_at_any_head') and len(st.log) < self.s.max_log:
                entry = ('D', item, c, kept, i if m == 'next_generation' else c + 1)
                late = ('put_late', item, c, head, -1, 0, kept) if m == 'delete_before_put' and kept else ()
                yield go(*late, log=st.log + (entry,))
        elif pc == 'heal':  # a condemnation that keeps everything needs no G3 to G6 …
            if len(st.log) == head:
                yield go('heal_put', item, head, head + 1, -1, 0, kept, log=st.log + (('C', item, kept),))
        elif pc == 'heal_put':  # … G7 …
            yield from self.relocate(st, local, go)
        elif pc == 'heal_delete':  # … and G8 only asks whether it is in force
            if m == 'found_before_delete' and self.view(st.log).lost:
                yield from self.found(st, local, go, then=local)
            elif len(st.log) < self.s.max_log and self.view(st.log).condemned[item] == c:
                then = ('heal_found', item, c, -1, -1, 0, kept) if self.view(st.log).lost else ()
                yield go(*then, log=st.log + (('D', item, c, kept, c + 1),))
        elif pc == 'heal_found':  # what was filled in is off the list
            yield from self.found(st, local, go, then=())
        elif pc == 'sweep':
            yield self.remove(st, item, c, 'ofrp'[seen], go)

    def judge(self, st, local, go):
        _, item, c, head, _, seen, kept = local
        observed = self.observed(st, seen)
        if observed is None:
            return
        commits, refs, entry = observed
        view = self.view(st.log[:head], entry)
        if view.condemned[item] != c and self.mutant != 'delete_not_bound':
            return
        if self.needed(refs, item, kept, self.live(commits, view), commits, view):
            yield go('lift', item, c, head, -1, 0, 0)
        elif kept and self.mutant != 'delete_before_put':
            yield go('put', item, c, head, -1, 0, kept)
        else:
            yield go('delete', item, c, head, -1, 0, kept)

    def relocate(self, st, local, go):
        """G7: the object of generation c + 1, whose content follows from entry c, before its DELETE."""
        pc, item, c, head, _, _, kept = local
        x = item // 2
        view = self.view(st.log[:head])
        generation = view.generation[x] + 1 if self.mutant == 'next_generation' else c + 1
        there = dict(st.packs[x])
        source = there.get(view.generation[x])
        if source is None:
            return
        content = source & kept
        if pc == 'heal_put':  # decision 14: content that somebody stored again is filled in
            content = self.filled(st, x, source) & kept
        if there.setdefault(generation, content) != content:
            return  # another one is there already under this name: condemn anew
        if self.mutant == 'remove_before_delete':
            there = {generation: there[generation]}
        packs = put(st.packs, x, tuple(sorted(there.items())))
        then = {'put_late': (), 'heal_put': ('heal_delete', item, c, head, generation, 0, kept)}
        yield go(*then.get(pc, ('delete', item, c, head, generation, 0, kept)), packs=packs)

    def filled(self, st, x, source):
        """What repair writes of a pack: what it has, and what is wanted and was stored again elsewhere."""
        lost = self.s.lost & 3 << 2 * x & ~source
        again = any(slots & 1 << 2 * y for y in self.late for _, slots in st.packs[y])
        if self.mutant == 'fill_drops' and lost and again:
            return lost
        return source | (lost if again else 0)

    def found(self, st, local, go, then):
        """FOUND, of what the present object of the pack has of the wanted list."""
        _, item, c, _, _, _, _ = local
        view = self.view(st.log)
        generation = c + 1 if self.mutant == 'found_before_delete' else view.generation[item // 2]
        there = dict(st.packs[item // 2]).get(generation, 0)
        if self.mutant == 'found_unseen':
            there = self.s.lost
        if there & view.lost and len(st.log) < self.s.max_log:
            yield go(*then, log=st.log + (('V', item, there & view.lost),))

    def garbage(self, st):
        """G9: objects that may be removed, (kind, transaction, generation). What is garbage stays garbage."""
        found = set()
        for head in range(0 if self.s.old_views else len(st.log), len(st.log) + 1):
            view = self.view(st.log[:head])
            for x in range(self.n):
                for kind, there in (('o', st.opened), ('f', st.commits | st.aborts), ('r', st.pages)):
                    if view.retired & there & 1 << x:
                        found.add((kind, x, -1))
                c = -1 if self.mutant == 'awaited_swept' else view.condemned[2 * x]
                for generation, _ in st.packs[x]:
                    born = generation <= head or self.mutant == 'unborn_swept'  # CONDEMN in view
                    awaited = c >= 0 and generation == c + 1
                    if born and not awaited and generation != view.generation[x]:
                        found.add(('p', x, generation))
        return found

    def remove(self, st, x, generation, kind, go):
        keep = ~(1 << x)
        if kind == 'p':
            return go(packs=put(st.packs, x, tuple(o for o in st.packs[x] if o[0] != generation)))
        if kind == 'o':
            return go(opened=st.opened & keep)
        if kind == 'r':
            return go(pages=st.pages & keep)
        return go(commits=st.commits & keep, aborts=st.aborts & keep)

    # -- the others ----------------------------------------------------------------------------------------

    def administrator(self, st):
        """A1 to A3. Checked and appended on one view, by compare-and-swap: one step."""
        if len(st.log) >= self.s.max_log:
            return
        view = self.view(st.log)
        if self.s.erase & ~view.erased:  # by number of the domain: no matter which of it are committed
            erase = self.s.erase & (st.commits if self.mutant == 'erase_lists_commits' else -1)
            yield st._replace(log=st.log + (('E', erase),), told=st.told & ~erase)
        for x in bits(st.commits & ~view.retired):
            if self.s.forget & ~view.forgotten & 1 << x:
                yield st._replace(log=st.log + (('F', x),))
            if self.s.abandon & ~view.abandoned & 1 << x:
                yield st._replace(log=st.log + (('B', x),))
            if self.s.unforget & view.forgotten & 1 << x:
                views = [view]
                if self.mutant == 'unforget_of_old_view':
                    views = [self.view(st.log[:k]) for k in range(len(st.log) + 1)]
                if self.mutant == 'unforget_unchecked' or any(self.whole(st, x, v) for v in views):
                    yield st._replace(log=st.log + (('U', x),))

    def whole(self, st, x, view):
        """Nothing that snapshot x needs is deleted."""
        slots, owners = st.refs[x]
        return (not view.retired & (owners | 1 << x)
                and all(view.have[slot // 2] >> slot & 1 for slot in bits(slots)))

    def reader(self, st):
        if not st.reader or st.reader[0] == 'failed':
            return
        x = self.s.reader[1] // 2
        pc, generation = st.reader
        present = self.view(st.log).generation[x]
        if pc == 'look':
            yield st._replace(reader=('get', present))
        elif generation in dict(st.packs[x]):
            yield st._replace(reader=('look', -1))
        else:  # R2: gone. Look again, unless the log just read says the same.
            again = generation != present and self.mutant != 'reader_gives_up'
            yield st._replace(reader=('look' if again else 'failed', -1))

    # -- what must hold ------------------------------------------------------------------------------------

    def wrong(self, st):
        """What is wrong with this state, or None."""
        mutant, self.mutant = self.mutant, ''  # judge by the true rules
        view = self.fold(st.log) if mutant == 'delete_not_bound' else self.view(st.log)
        live = self.live(st.commits, view)
        self.mutant = mutant
        for x in bits(live):
            slots, owners = st.refs[x]
            if owners & ~st.pages:
                return f'commit {x} lost its reference pages'
            for slot in bits(slots):
                known = view.lost >> slot & 1 and self.s.fates[x] == 'C'  # lost before all this began
                if not known and not dict(st.packs[slot // 2]).get(view.generation[slot // 2], 0) >> slot & 1:
                    return f'commit {x} lost slot {slot}'
        if view.erased and live & self.s.erase:
            return 'a commit of an erased key domain is live'
        for x in bits(st.told & ~live):
            if self.s.checkpoints >> x & 1:
                dead = view.abandoned >> x & 1 or any(st.refs[y][0] for y in bits(self.later(x)))
            else:
                dead = view.forgotten >> x & 1
            if not dead:
                return f'commit {x} was reported as done and is gone'
        if st.reader and st.reader[0] == 'failed' and live >> self.s.reader[0] & 1:
            return 'a reader of a live snapshot gave up'
        return None
