#!/usr/bin/env python3
"""Lets the n-th call of each kind fail, or kills the program there, for every n: is anything lost, and does the program say so?

  faults.py EFLOW SHIM [--scenario NAME ...] [--call NAME ...] [--most N] [--minutes M] [--seed S] [--keep]

SHIM is libeflow_fault_shim.so (tests/support/faults). A disturbed command must end with the undisturbed result, or with an error that
names a file and the errno's text; nothing that was committed before may be missing; and the same command, repeated undisturbed, must
succeed with the undisturbed result. --most and --minutes bound the disturbed runs, which are spread evenly over calls and scenarios.
"""
import argparse
import errno
import os
import random
import shutil
import signal
import struct
import sys
import tempfile
import time

from scenarios import SCENARIOS, Program

CALLS = ['open', 'read', 'pread', 'write', 'fsync', 'rename', 'close', 'mkdir', 'unlink', 'flock', 'mmap', 'fork']
ERRORS = {'open': [errno.EIO, errno.EMFILE, errno.EACCES], 'read': [errno.EIO], 'pread': [errno.EIO],
          'write': [errno.ENOSPC, errno.EIO], 'fsync': [errno.EIO], 'rename': [errno.EIO, errno.ENOSPC],
          'close': [errno.EIO], 'mkdir': [errno.ENOSPC], 'unlink': [errno.EIO], 'flock': [errno.ENOLCK, errno.EIO],
          'mmap': [errno.ENOMEM], 'fork': [errno.EAGAIN]}
STATE_BYTES = 8 * len(CALLS) + 8 + 1024


class Trial:
    """A folder with what a scenario prepared, and a run in a copy of it."""

    def __init__(self, args, scenario, folder):
        self.args, self.scenario = args, scenario
        self.before, self.work = os.path.join(folder, 'before'), os.path.join(folder, 'work')
        self.state = os.path.join(folder, 'state')
        os.makedirs(self.work)
        scenario.prepare(Program(args.eflow, self.work))
        shutil.copytree(self.work, self.before, symlinks=True)
        self.kept = scenario.kept(self.work)
        code, text, self.counts, _ = self.run({})
        if code != 0:
            raise SystemExit(f'{scenario.name}: exit code {code}\n{text}')
        self.expected = scenario.result(self.work)

    def run(self, settings):
        """Returns the exit code, the output, the numbers of calls, and the file that the fault struck."""
        shutil.rmtree(self.work)
        shutil.copytree(self.before, self.work, symlinks=True)
        with open(self.state, 'wb') as file:
            file.write(bytes(STATE_BYTES))
        environment = {'LD_PRELOAD': os.path.abspath(self.args.shim), 'EFLOW_FAULT_UNDER': self.work,
                       'EFLOW_FAULT_STATE': self.state, **settings}
        code, text = Program(self.args.eflow, self.work, environment).run(self.scenario.words())
        with open(self.state, 'rb') as file:
            raw = file.read()
        numbers = struct.unpack_from(f'<{len(CALLS) + 1}Q', raw)
        path = raw[8 * len(CALLS) + 8:].split(b'\0')[0].decode() if numbers[-1] else None
        return code, text, dict(zip(CALLS, numbers)), path

    def disturb(self, call, at, code):
        """Returns the faults of the program in one disturbed run."""
        ended, text, _, path = self.run({'EFLOW_FAULT_CALL': call, 'EFLOW_FAULT_AT': str(at), 'EFLOW_FAULT_ERRNO': str(code)})
        problems = []
        if ended == 0:
            warned = self.scenario.cache and 'warning:' in text and os.strerror(code) in text
            problems += [] if warned else self.compare('it ended well, but')
        elif ended < 0 and not (code == 0 and ended == -signal.SIGKILL):
            problems.append(f'it died by signal {-ended}')
        elif code != 0 and ended > 0:
            if os.strerror(code) not in text:
                problems.append(f'exit code {ended} without "{os.strerror(code)}"')
            if path and self.work not in text and not any(name and name in text for name in self.names_of(path)):
                problems.append(f'exit code {ended} without a file')
        missing = self.kept - self.scenario.kept(self.work)
        if missing:
            problems.append(f'lost {sorted(missing, key=str)}')
        again, more = Program(self.args.eflow, self.work).run(self.scenario.words())
        if again != 0 and self.scenario.once and not self.compare(''):
            pass  # refused, because it is done
        elif again != 0:
            problems.append(f'repeated: exit code {again}\n{more}')
        else:
            problems += self.compare('repeated:')
        return [f'{self.scenario.name}: {call} {at}, {os.strerror(code) if code else "SIGKILL"}, {path}: {problem}\n{text}'
                for problem in problems]

    def names_of(self, path):
        return [os.path.relpath(path, self.work), os.path.basename(path), os.path.basename(path).split('.tmp-')[0]]

    def compare(self, when):
        try:
            same = self.scenario.result(self.work) == self.expected
        except (OSError, ValueError, KeyError) as error:
            return [f'{when} the result cannot be read: {error}']
        return [] if same else [f'{when} the result differs']


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('eflow')
    parser.add_argument('shim')
    parser.add_argument('--scenario', nargs='+', choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument('--call', nargs='+', choices=CALLS, default=CALLS)
    parser.add_argument('--most', type=int, default=10**9)
    parser.add_argument('--minutes', type=float, default=1e9)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--keep', action='store_true', help='keep the folders')
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix='eflow-faults-')
    chooser = random.Random(args.seed)
    trials = {name: Trial(args, SCENARIOS[name], os.path.join(folder, name)) for name in args.scenario}
    # Points by call and scenario, so that a bound leaves some of each.
    groups = [[(name, call, at, code) for at in range(1, trial.counts[call] + 1) for code in ERRORS[call] + [0]]
              for name, trial in trials.items() for call in args.call if trial.counts[call] > 0]
    for group in groups:
        chooser.shuffle(group)
    order = [group[i] for i in range(max(map(len, groups), default=0)) for group in groups if i < len(group)]
    done, failed, kinds = 0, [], {}
    end = time.monotonic() + 60 * args.minutes
    for name, call, at, code in order[:args.most]:
        if time.monotonic() > end:
            break
        problems = trials[name].disturb(call, at, code)
        done += 1
        kinds.setdefault(name, [0, 0])[code == 0] += 1
        failed += problems
        for problem in problems:
            print('FAULT:', problem, flush=True)
    for name, (failures, kills) in sorted(kinds.items()):
        print(f'{name:10} {failures:6} failing calls {kills:6} kills at a call')
    print(f'{done} of {len(order)} disturbed runs, {len(failed)} faults')
    if not args.keep:
        shutil.rmtree(folder)
    sys.exit(1 if failed or done == 0 else 0)


if __name__ == '__main__':
    main()
