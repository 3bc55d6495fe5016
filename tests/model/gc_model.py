#!/usr/bin/env python3
"""Explicit-state model check of commit and garbage collection: docs/decisions/0002-garbage-collection.md.

gc_scenarios.py has the small repositories to start from, gc_protocol.py what everybody may do next and what
must hold. This searches every order of single steps. Each rule of the protocol can be switched off (a
"mutant"), and the search must then find a snapshot lost: a rule whose mutant survives is superfluous, or is
not covered.

    gc_model.py --quick          the small scenarios and every mutant (seconds)
    gc_model.py --full           also large scenarios, longer logs, more collectors (many minutes)
    gc_model.py NAME [MUTANT]    one scenario, with a trace where a snapshot is lost
"""
import sys
import time

from gc_protocol import Protocol
from gc_scenarios import SCENARIOS

STATES_MAX = 60_000_000


def search(protocol, states_max=STATES_MAX):
    """Breadth first: the number of states, what was reached, and a shortest path to a violation or None.

    States are remembered by their 64-bit hash: of 10⁷, one is overlooked with a probability of about 10⁻⁶.
    """
    first = protocol.start()
    came = {hash(first): None}
    level, reached, logs = [first], set(), set()
    while level:
        following = []
        for st in level:
            reached |= {'told' * (st.told != first.told), 'aborted' * (st.aborts != first.aborts)}
            logs.add(st.log)
            trouble = protocol.wrong(st)
            if trouble:
                return len(came), reached, (trouble, trace(protocol, came, hash(st)))
            here = hash(st)
            for nxt in protocol.successors(st):
                key = hash(nxt)
                if key not in came:
                    came[key] = here
                    following.append(nxt)
        if len(came) > states_max:
            raise SystemExit(f'{protocol.s.name}: more than {states_max} states')
        level = following
    kinds = {'F': 'forgotten', 'U': 'unforgotten', 'B': 'abandoned', 'C': 'condemned', 'L': 'lifted',
             'W': 'wanted', 'V': 'found', 'E': 'erased'}
    for kind, item, *rest in (entry for log in logs for entry in log):
        reached.add(kinds.get(kind) or ('retired' if item % 2 else 'moved' if rest[1] else 'deleted'))
    return len(came), reached, None


def trace(protocol, came, key):
    """The states from the start to the one of that hash, found again step by step."""
    keys = []
    while key is not None:
        keys.append(key)
        key = came[key]
    path = [protocol.start()]
    for wanted in reversed(keys[:-1]):
        path.append(next(st for st in protocol.successors(path[-1]) if hash(st) == wanted))
    return path


def show(path):
    """Prints each state by what changed."""
    before = {}
    for st in path:
        now = st._asdict()
        print('  ', {k: v for k, v in now.items() if before.get(k) != v})
        before = now


def check(scenario, mutant='', verbose=False):
    """True where the protocol holds and everything expected was reached; or where the mutant is caught."""
    began = time.monotonic()
    states, reached, trouble = search(Protocol(scenario, mutant))
    missing = [] if mutant or trouble else [what for what in scenario.reached if what not in reached]
    good = bool(trouble) == bool(mutant) and not missing
    what = f'  without {mutant}' if mutant else scenario.name
    found = f'{trouble[0]} after {len(trouble[1]) - 1} steps' if trouble else 'nothing lost'
    never = f', never reached: {", ".join(missing)}' if missing else ''
    took = time.monotonic() - began
    print(f'{"ok  " if good else "FAIL"} {what}: {found}{never}, {states} states, {took:.1f} s', flush=True)
    if trouble and verbose:
        show(trouble[1])
    return good


def widened(scenario):
    """The same with a longer log, and with one more collector."""
    yield scenario._replace(name=scenario.name + ', longer log', max_log=scenario.max_log + 1)
    if scenario.collectors == 1:
        yield scenario._replace(name=scenario.name + ', 2 collectors', collectors=2)


def main(arguments):
    if arguments and not arguments[0].startswith('-'):
        name, mutant = (arguments + [''])[:2]
        return 0 if check(next(s for s in SCENARIOS if s.name == name), mutant, verbose=True) else 1
    full = '--full' in arguments
    good = True
    for scenario in SCENARIOS:
        if scenario.large and not full:
            continue
        good &= check(scenario)
        for mutant in scenario.mutants:
            good &= check(scenario, mutant)
        for wide in widened(scenario) if full and not scenario.large else ():
            good &= check(wide)
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
