#!/usr/bin/env python3
"""Trains for a long time, with kills in between: do memory, descriptors and temporary files stay flat?

  soak.py EFLOW [--minutes M] [--kill-every LEAST MOST] [--seed S]

The run saves in the background every few steps. Every second, the process's resident memory and open descriptors and the temporary files
of the run are recorded; a process is killed, and started again, after LEAST to MOST seconds. Memory is judged within a process from its
fourth second on, descriptors and files over all of them.
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

from scenarios import SCENARIOS, Program, checkpoints_of


def resident(pid):
    with open(f'/proc/{pid}/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


def temporary(folder):
    return sum('.tmp-' in name for _, folders, names in os.walk(folder) for name in folders + names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('eflow')
    parser.add_argument('--minutes', type=float, default=120)
    parser.add_argument('--kill-every', type=float, nargs=2, default=[5, 30])
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    folder, chooser = tempfile.mkdtemp(prefix='eflow-soak-'), random.Random(args.seed)
    program = Program(args.eflow, folder)
    SCENARIOS['train'].prepare(program)
    words = SCENARIOS['train'].words()[:5] + ['--train.iterations=100000000', '--checkpoint.every=50', '--checkpoint.keep=2']
    end, kills, growth, files, leftovers, step = time.monotonic() + 60 * args.minutes, 0, [], [], [], 0
    faults = []
    while time.monotonic() < end:
        process = subprocess.Popen([program.eflow] + words, cwd=folder, env=program.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stop = min(end, time.monotonic() + chooser.uniform(*args.kill_every))
        memory = []
        while time.monotonic() < stop and process.poll() is None:
            time.sleep(1)
            try:
                memory.append(resident(process.pid))
                files.append(len(os.listdir(f'/proc/{process.pid}/fd')))
            except OSError:
                break
        if process.poll() is not None:
            faults.append(f'the run ended by itself: exit code {process.returncode}')
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        leftovers.append(temporary(os.path.join(folder, 'run')))
        saved = max(checkpoints_of(os.path.join(folder, 'run')), default=0)
        if saved < step:
            faults.append(f'the newest checkpoint went back from step {step} to {saved}')
        step = saved
        if len(memory) > 6:
            growth.append((memory[-1] - memory[3]) / memory[3])
    if files and max(files[len(files) // 2:]) > max(files[:len(files) // 2 + 1]) + 2:
        faults.append(f'descriptors rose from {max(files[:len(files) // 2 + 1])} to {max(files)}')
    if leftovers and max(leftovers) > 2:  # one save is in progress when a process is killed
        faults.append(f'{max(leftovers)} temporary files at once')
    if growth and sorted(growth)[len(growth) // 2] > 0.05:
        faults.append(f'memory grows by {100 * sorted(growth)[len(growth) // 2]:.0f} % within a process')
    for fault in faults:
        print('FAULT:', fault)
    print(f'{args.minutes:g} minutes, {kills} kills, step {step}; descriptors at most {max(files, default=0)}, temporary files at most '
          f'{max(leftovers, default=0)}, growth of memory within a process: median {100 * sorted(growth)[len(growth) // 2] if growth else 0:.1f} %; '
          f'{len(faults)} faults')
    shutil.rmtree(folder)
    sys.exit(1 if faults or kills == 0 else 0)


if __name__ == '__main__':
    main()
