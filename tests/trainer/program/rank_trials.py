#!/usr/bin/env python3
"""Failures of ranks, at random times: is the culprit named in time, and does the restarted run end in the same bits?

  rank_trials.py EFLOW CONFIG [--trials N] [--seed S]

Each trial trains on 2 to 4 ranks and does one of these: kill -9 of a rank, SIGSTOP of a rank, kill -9 of the launcher, a rank that
stands still for a while but not for too long, another option on one rank. Exit status 77 without mpirun.
"""
import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DEADLINE = 3  # seconds, train.deadline
GRACE = 20    # for the launcher to notice and to end the others, on a busy machine
STEPS = 120


def environment():
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT='1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1',
               OMPI_MCA_rmaps_base_oversubscribe='1', EFLOW_THREADS='1', ASAN_OPTIONS='detect_leaks=0')
    return env


def children(pid):
    try:
        with open(f'/proc/{pid}/task/{pid}/children') as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def ranks_of(launcher):
    """Process ids of the ranks by rank."""
    found = {}
    for pid in children(launcher):
        try:
            with open(f'/proc/{pid}/environ', 'rb') as file:
                match = re.search(rb'OMPI_COMM_WORLD_RANK=(\d+)', file.read())
        except OSError:
            continue
        if match:
            found[int(match.group(1))] = pid
    return found


class Job:
    def __init__(self, args, folder, run, count, program=None):
        self.out = os.path.join(folder, run)
        self.log = os.path.join(folder, run + '.log')
        command = ['mpirun', '--bind-to', 'none', '-n', str(count), program or args.eflow] + words(args, folder, self.out)
        self.process = subprocess.Popen(command, env=environment(), stdout=open(self.log, 'ab'), stderr=subprocess.STDOUT,
                                        stdin=subprocess.DEVNULL)

    def steps(self):
        try:
            with open(os.path.join(self.out, 'metrics.jsonl')) as file:
                return sum(1 for _ in file)
        except OSError:
            return 0

    def wait_for_step(self, step):
        while self.process.poll() is None and self.steps() < step:
            time.sleep(0.02)

    def text(self):
        text = ''
        for path in [self.log] + [os.path.join(self.out, name) for name in os.listdir(self.out)
                                  if name.startswith(('log.', 'collectives.'))]:
            with open(path, errors='replace') as file:
                text += file.read()
        return text

    def summary(self):
        """The lines that say why the job ended."""
        lines = self.text().replace('\r', '\n').split('\n')
        return '\n'.join(line for line in lines if re.search(r'eflow: |mpirun|signal|ERROR', line))


def words(args, folder, out):
    return ['train', '--config', args.config, '--data', os.path.join(folder, 'set'), '--out', out, '--train.batch=8',
            '--train.shards=4', f'--train.iterations={STEPS}', '--checkpoint.every=10', '--sample.every=0', '--eval.every=0',
            '--train.slice=0.01', f'--train.deadline={DEADLINE}']


def losses(out):
    with open(os.path.join(out, 'metrics.jsonl')) as file:
        return [(line['step'], line['loss'], line['grad_norm'], line['ids_hash']) for line in map(json.loads, file)]


def weights(out):
    """Hashes of the arrays of the last checkpoint, however its files divide them."""
    with open(os.path.join(out, 'checkpoints', f'step-{STEPS:08d}', 'manifest.json')) as file:
        return {array['name']: array['content'] for array in json.load(file)['arrays']}


def require(condition, what, job):
    if not condition:
        sys.exit(f'{what}; exit code {job.process.poll()}; from the logs:\n' + job.summary())


def end_of(job, limit):
    """Seconds until the job ended."""
    start = time.monotonic()
    try:
        job.process.wait(limit)
    except subprocess.TimeoutExpired:
        job.process.kill()
        sys.exit(f'still running after {limit} s; from the logs:\n' + job.summary())
    return time.monotonic() - start


def blames(text, victim, kind):
    """Whether the logs name the victim and nobody else. A stop: the others wait until the deadline and name who is silent; notes of ranks
    that are merely interrupted, the stopped one among them, accuse nobody. A kill: the launcher names who was killed before the others
    reach their deadline; their notes list everyone that they waited for, the victim among them."""
    killed = {int(rank) for rank in re.findall(r'process rank (\d+) with PID', text)}
    if killed:
        return killed == {victim}
    lines = [line for line in text.split('\n') if kind == 'a kill' or '[ranks] interrupted' not in line]
    waits = re.findall(r'waited [\d.]+ s in [^\n]*? for (rank \d+ [^\n;]*)', '\n'.join(lines))
    named = [{int(rank) for rank in re.findall(r'rank (\d+) \(', wait)} for wait in waits]
    return bool(named) and all(victim in ranks if kind == 'a kill' else ranks == {victim} for ranks in named)


def finish(args, folder, run, reference, chance):
    count = chance.choice([1, 2, 4])
    job = Job(args, folder, run, count)
    end_of(job, 600)
    require(job.process.returncode == 0, f'the restarted run failed on {count} ranks', job)
    require(losses(job.out) == reference[0], 'other metrics', job)
    require(weights(job.out) == reference[1], 'other weights', job)


def trial(kind, args, folder, run, reference, chance):
    count = chance.choice([2, 3, 4])
    victim = chance.randrange(count)
    if kind == 'other option':
        script = os.path.join(folder, run + '.sh')
        with open(script, 'w') as file:
            file.write(f'#!/bin/sh\n[ "$OMPI_COMM_WORLD_RANK" = {victim} ] && set -- "$@" --optim.lr=0.5\nexec {args.eflow} "$@"\n')
        os.chmod(script, 0o755)
        job = Job(args, folder, run, count, script)
        seconds = end_of(job, DEADLINE + GRACE)
        text = job.text()
        require(job.process.returncode == 2 and 'optim.lr differs between ranks' in text, 'not refused', job)
        require(f'rank {victim if victim > 0 else 1} (' in text, 'the wrong rank', job)
        finish(args, folder, run, reference, chance)
        return seconds

    job = Job(args, folder, run, count)
    job.wait_for_step(chance.randrange(1, STEPS // 2))
    pids = ranks_of(job.process.pid)
    if job.process.poll() is not None or victim not in pids:
        require(job.process.poll() == 0, 'ended early', job)
        return 0.0
    if kind == 'a pause':
        os.kill(pids[victim], signal.SIGSTOP)
        time.sleep(DEADLINE / 3)
        os.kill(pids[victim], signal.SIGCONT)
        end_of(job, 600)
        require(job.process.returncode == 0, 'a short pause ended the run', job)
        seconds = 0.0
    elif kind == 'no launcher':
        os.kill(job.process.pid, signal.SIGKILL)
        job.process.wait()
        start = time.monotonic()
        while any(os.path.exists(f'/proc/{pid}') for pid in pids.values()):
            require(time.monotonic() - start < DEADLINE + GRACE, 'ranks outlive the launcher', job)
            time.sleep(0.05)
        seconds = time.monotonic() - start
    else:
        os.kill(pids[victim], signal.SIGKILL if kind == 'a kill' else signal.SIGSTOP)
        seconds = end_of(job, DEADLINE + GRACE)
        if job.process.returncode != 0:  # 0: the run had just ended
            require(blames(job.text(), victim, kind), f'rank {victim} of {count} is not the one that is named', job)
            if kind == 'a stop':
                require(job.process.returncode == 7, f'exit code {job.process.returncode}', job)
    finish(args, folder, run, reference, chance)
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('eflow')
    parser.add_argument('config')
    parser.add_argument('--trials', type=int, default=200)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    if not shutil.which('mpirun'):
        sys.exit(77)
    chance = random.Random(args.seed)
    kinds = ['a kill', 'a stop', 'no launcher', 'a pause', 'other option']
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.eflow, 'data', 'synth', '--size', '16', '--frames', '4', '--split', 'held-out', '--out',
                        os.path.join(folder, 'set')], check=True, stdout=subprocess.DEVNULL)
        one = Job(args, folder, 'reference', 1)
        if one.process.wait() != 0:
            if 'without MPI' in one.text():
                sys.exit(77)
            sys.exit(one.text())
        reference = (losses(one.out), weights(one.out))
        slowest = {}
        for number in range(args.trials):
            kind = kinds[number % len(kinds)]
            run = f'trial-{number}'
            seconds = trial(kind, args, folder, run, reference, chance)
            slowest[kind] = max(slowest.get(kind, 0.0), seconds)
            print(f'{number + 1}/{args.trials} {kind}: {seconds:.1f} s', flush=True)
            shutil.rmtree(os.path.join(folder, run))
        print('slowest:', ', '.join(f'{kind} {seconds:.1f} s' for kind, seconds in slowest.items()))


main()
