#!/usr/bin/env python3
"""Kills the program at random moments, again and again, until it has finished: is committed work ever lost, is the end ever different?

  kills.py EFLOW [--scenario NAME ...] [--kills N] [--minutes M] [--seed S]

Each scenario is repeated until it was killed its share of N times. After each kill, what was committed before must still be there; in the
end, the result must equal, bit for bit, that of a command that nobody disturbed.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from scenarios import SCENARIOS, Program


def kill_once(program, words, delay):
    """Starts the command and kills it after a while. Returns whether it was still running, and its exit code."""
    process = subprocess.Popen([program.eflow] + words, cwd=program.work, env=program.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        return False, process.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True, None


class Campaign:
    def __init__(self, eflow, scenario, folder, chooser):
        self.eflow, self.scenario, self.folder, self.chooser = eflow, scenario, folder, chooser
        self.before, self.work = os.path.join(folder, 'before'), os.path.join(folder, 'work')
        os.makedirs(self.work)
        program = Program(eflow, self.work)
        scenario.prepare(program)
        shutil.copytree(self.work, self.before)
        begin = time.monotonic()
        program.must(scenario.words())
        self.seconds = time.monotonic() - begin
        self.expected = scenario.result(self.work)
        self.kills, self.rounds, self.faults = 0, 0, []

    def round(self, limit):
        """One life of the work: killed until it finishes, or `limit` times, and then left alone."""
        shutil.rmtree(self.work)
        shutil.copytree(self.before, self.work)
        program, kept = Program(self.eflow, self.work), self.scenario.kept(self.work)
        self.rounds += 1
        for _ in range(limit):
            killed, code = kill_once(program, self.scenario.words(), self.chooser.uniform(0, 1.2 * self.seconds))
            self.kills += killed
            if not killed and code != 0:
                self.faults.append(f'{self.scenario.name}: exit code {code} after {self.kills} kills')
            missing = kept - self.scenario.kept(self.work)
            if missing:
                self.faults.append(f'{self.scenario.name}: lost {sorted(missing, key=str)}')
            kept |= self.scenario.kept(self.work)
            if not killed:
                break
        code, text = program.run(self.scenario.words())
        if code != 0:
            self.faults.append(f'{self.scenario.name}: the last command: exit code {code}\n{text}')
        elif self.scenario.result(self.work) != self.expected:
            self.faults.append(f'{self.scenario.name}: another result after {self.kills} kills')
        left = [name for _, folders, names in os.walk(self.work) for name in folders + names if '.tmp-' in name]
        if left:
            self.faults.append(f'{self.scenario.name}: leftovers {left}')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('eflow')
    parser.add_argument('--scenario', nargs='+', choices=SCENARIOS, default=['pack', 'train', 'save', 'ranks', 'resume', 'stages', 'tune'])
    parser.add_argument('--kills', type=int, default=1000)
    parser.add_argument('--minutes', type=float, default=1e9, help='at most, in equal parts')
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    folder, chooser = tempfile.mkdtemp(prefix='eflow-kills-'), random.Random(args.seed)
    total, faults = 0, []
    for index, name in enumerate(args.scenario):
        campaign = Campaign(args.eflow, SCENARIOS[name], os.path.join(folder, name), chooser)
        share = args.kills * (index + 1) // len(args.scenario) - args.kills * index // len(args.scenario)
        end = time.monotonic() + 60 * args.minutes / len(args.scenario)
        while campaign.kills < share and not campaign.faults and time.monotonic() < end:
            campaign.round(min(12, share - campaign.kills))
        for fault in campaign.faults:
            print('FAULT:', fault)
        print(f'{name:10} {campaign.kills:6} kills in {campaign.rounds} runs', flush=True)
        total += campaign.kills
        faults += campaign.faults
    print(f'{total} kills, {len(faults)} faults')
    shutil.rmtree(folder)
    sys.exit(1 if faults or total == 0 else 0)


if __name__ == '__main__':
    main()
