#!/usr/bin/env python3
"""Flips bits of files and cuts them short: does the command that reads the file notice, and name the file and the place?

  damage.py EFLOW [--kind NAME ...] [--flips N] [--cuts N] [--seed S]

Kinds: shard, manifest (of a data set), state, part (the state's file of one of two ranks), checkpoint (its manifest), artifact, record (of tuning). A data set must be refused; a
damaged checkpoint is passed over for the one before, a damaged artifact or record is not used. In each case the program must tell, with
the file and a place in it: a byte, an array, a clip, a field, a checksum or a size.
"""
import argparse
import os
import random
import re
import shutil
import sys
import tempfile

from scenarios import SCENARIOS, Program, checkpoints_of

PLACE = re.compile(r'byte|array|clip|field|checksum|offset|has \d+ bytes|structure|label|JSON|json|index|magic|version|cut short|hash|line')


def find(folder, end):
    for at, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith(end):
                return os.path.join(at, name)
    raise SystemExit(f'no file {end} in {folder}')


class Kind:
    """A file, and a command that must notice its damage."""

    def __init__(self, path, words, accepts):
        self.path, self.words, self.accepts = path, words, accepts
        with open(path, 'rb') as file:
            self.bytes = file.read()


def told(kind, text):
    name = os.path.basename(kind.path)
    problems = [] if name in text or name.split('.')[0][:12] in text else [f'the message does not name {name}']
    return problems if PLACE.search(text) else problems + ['the message names no place']


def refused(kind, code, text):
    """The command ends with an error."""
    return told(kind, text) if code > 0 else [f'exit code {code}']


def noted(kind, code, text):
    """The command goes on without the file."""
    return told(kind, text) if code >= 0 else [f'exit code {code}']


def kinds_of(eflow, folder, chosen):
    kinds = {}

    def scenario(name):
        work = os.path.join(folder, name)
        if not os.path.isdir(work):
            os.makedirs(work)
            program = Program(eflow, work)
            SCENARIOS[name].prepare(program)
            program.must(SCENARIOS[name].words())
        return work

    for name in chosen:
        if name in ('shard', 'manifest'):
            path = find(os.path.join(scenario('pack'), 'set'), '.h5' if name == 'shard' else 'manifest.json')
            kinds[name] = Kind(path, ['data', 'verify', 'set'], refused), scenario('pack')
        elif name in ('state', 'part', 'checkpoint'):
            work = scenario('ranks' if name == 'part' else 'train')
            files = {'state': 'state.h5', 'part': 'state-00001-of-00002.h5', 'checkpoint': 'manifest.json'}
            step = f'step-{checkpoints_of(os.path.join(work, "run"))[-1]:08d}'
            path = os.path.join(work, 'run', 'checkpoints', step, files[name])
            kinds[name] = Kind(path, ['inspect', 'run'], noted), work
        elif name == 'artifact':
            work = scenario('compile')
            kinds[name] = Kind(find(os.path.join(work, 'cache'), '.art'), ['jit', 'verify'], noted), work
        else:
            work = scenario('tune')
            kinds[name] = Kind(find(os.path.join(work, 'cache', 'v1', 'tune'), '.json'), ['jit', 'tune', 'show'], noted), work
    return kinds


def damage(kind, work, eflow, chooser, flip):
    """Returns the problems."""
    content = bytearray(kind.bytes)
    if flip:
        at, bit = chooser.randrange(len(content)), chooser.randrange(8)
        content[at] ^= 1 << bit
        what = f'bit {bit} of byte {at}'
    else:
        at = chooser.randrange(len(content))
        del content[at:]
        what = f'cut to {at} bytes'
    with open(kind.path, 'wb') as file:
        file.write(content)
    code, text = Program(eflow, work).run(kind.words)
    problems = [f'{what}: {problem}\n{text}' for problem in kind.accepts(kind, code, text)]
    with open(kind.path, 'wb') as file:
        file.write(kind.bytes)
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('eflow')
    names = ['shard', 'manifest', 'state', 'part', 'checkpoint', 'artifact', 'record']
    parser.add_argument('--kind', nargs='+', choices=names, default=names)
    parser.add_argument('--flips', type=int, default=10000)
    parser.add_argument('--cuts', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    folder, chooser = tempfile.mkdtemp(prefix='eflow-damage-'), random.Random(args.seed)
    kinds = kinds_of(args.eflow, folder, args.kind)
    failed = 0
    for index, (name, (kind, work)) in enumerate(kinds.items()):
        share = lambda count: count * (index + 1) // len(kinds) - count * index // len(kinds)
        flips, cuts, missed = share(args.flips), share(args.cuts), 0
        for trial in range(flips + cuts):
            for problem in damage(kind, work, args.eflow, chooser, trial < flips):
                missed += 1
                print(f'FAULT: {name}: {problem}', flush=True)
        print(f'{name:10} {flips:6} flips {cuts:6} cuts, {missed} not reported as they should be', flush=True)
        failed += missed
    print(f'{args.flips} flips, {args.cuts} cuts, {failed} faults')
    shutil.rmtree(folder)
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
