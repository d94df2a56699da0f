#!/usr/bin/env python3
"""What it gains that gradients travel during the backward pass: a run of several ranks with and without buckets, in turns.

  rank_overlap.py EFLOW [--ranks N] [--dim N] [--steps N] [--rounds N] [--folder DIR]

Prints first deciles over all steps of all rounds, without the first steps: the step, what rank 0 waited for messages in it (exposed), and how
long messages were on their way while it computed (hidden). Every rank has one thread and should have a processor of its own.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile

from rank_saves import MODEL, on_ranks

SLICES = {'all at once': '0', 'buckets': '1'}
WARM_UP = 2  # steps


def run(args, folder, name, slice_mib):
    """The metrics of a run's steps, but for the first ones."""
    words = [os.path.abspath(args.eflow), 'train', '--config', os.path.join(folder, 'model.ini'), '--out', os.path.join(folder, name),
             f'--train.iterations={args.steps + WARM_UP}', f'--train.slice={slice_mib}', '--checkpoint.every=1000000']
    on_ranks(args.ranks, words)
    with open(os.path.join(folder, name, 'metrics.jsonl')) as file:
        return [json.loads(line) for line in file][WARM_UP:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('eflow')
    parser.add_argument('--ranks', type=int, default=2)
    parser.add_argument('--dim', type=int, default=512)
    parser.add_argument('--steps', type=int, default=12)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--folder', default='.')
    args = parser.parse_args()
    steps = {way: [] for way in SLICES}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        with open(os.path.join(folder, 'model.ini'), 'w') as file:
            file.write(MODEL.format(dim=args.dim, ranks=args.ranks))
        for number in range(args.rounds):
            for way, slice_mib in SLICES.items():
                steps[way] += run(args, folder, f'{number}-{slice_mib}', slice_mib)
    hashes = {way: [(step['loss'], step['grad_norm']) for step in steps[way]] for way in SLICES}
    if len({str(each) for each in hashes.values()}) != 1:
        sys.exit('the runs differ')
    print('| gradients | step | exposed | hidden |\n| --- | --- | --- | --- |')
    for way in SLICES:
        step, exposed, hidden = (statistics.quantiles([each[key] for each in steps[way]], n=10)[0] for key in ('step_s', 'comm_s', 'comm_hidden_s'))
        print(f'| {way} | {step:.3f} s | {exposed:.3f} s | {hidden:.3f} s |')


main()
