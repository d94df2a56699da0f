#!/usr/bin/env python3
"""What a checkpoint costs a run of several ranks: time per save, and the most memory that each rank takes.

  rank_saves.py EFLOW [--ranks N] [--dim N] [--steps N] [--folder DIR]

Trains the same steps with synchronous saves after each and with one at the end; the difference, per save, is the time. Memory is the peak
resident set of each rank's process over the whole run. The folder's disk matters.
"""
import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

MODEL = ('[exact]\nkind = gaussian\nchannels = 2\nframes = 4\nheight = 4\nwidth = 4\n'
         '[model]\ndim = {dim}\nheads = 4\nencoder = 2\nmiddle = 2\ndecoder = 2\npatch_t = 1\npatch_h = 2\npatch_w = 2\n'
         '[train]\nbatch = 8\nshards = {ranks}\n[optim]\nwarmup = 1\n[eval]\nevery = 0\n[sample]\nevery = 0\n')


def child(out, words):
    """Runs a rank and notes its peak memory, in MB."""
    code = subprocess.call(words)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
    with open(os.path.join(out, 'peak.' + os.environ.get('OMPI_COMM_WORLD_RANK', '0')), 'w') as file:
        file.write(str(peak))
    return code


def on_ranks(count, command):
    """Runs a command on ranks of one thread each. If it fails, prints its output and ends."""
    env = dict(os.environ, EFLOW_THREADS='1', OMPI_ALLOW_RUN_AS_ROOT='1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM='1',
               OMPI_MCA_rmaps_base_oversubscribe='1')
    done = subprocess.run(['mpirun', '--bind-to', 'none', '-n', str(count)] + command, env=env, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(done.stdout.decode(errors='replace'))


def run(args, folder, name, every):
    """Seconds, and the peak memory of each rank in MB."""
    notes = os.path.join(folder, name + '.notes')
    os.makedirs(notes)
    words = [os.path.abspath(args.eflow), 'train', '--config', os.path.join(folder, 'model.ini'), '--out', os.path.join(folder, name),
             f'--train.iterations={args.steps}', f'--checkpoint.every={every}', '--checkpoint.async=false', '--checkpoint.keep=1']
    begin = time.monotonic()
    on_ranks(args.ranks, [sys.executable, __file__, '--child', notes] + words)
    seconds = time.monotonic() - begin
    peaks = [float(open(os.path.join(notes, f'peak.{rank}')).read()) for rank in range(args.ranks)]
    checkpoint = os.path.join(folder, name, 'checkpoints', f'step-{args.steps:08d}')
    size = sum(os.path.getsize(os.path.join(checkpoint, file)) for file in os.listdir(checkpoint))
    shutil.rmtree(os.path.join(folder, name))
    return seconds, peaks, size


def main():
    if sys.argv[1:2] == ['--child']:
        sys.exit(child(sys.argv[2], sys.argv[3:]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('eflow')
    parser.add_argument('--ranks', type=int, default=4)
    parser.add_argument('--dim', type=int, default=768)
    parser.add_argument('--steps', type=int, default=6)
    parser.add_argument('--folder', default='.')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        with open(os.path.join(folder, 'model.ini'), 'w') as file:
            file.write(MODEL.format(dim=args.dim, ranks=args.ranks))
        without, _, _ = run(args, folder, 'without', 10**6)
        with_saves, peaks, size = run(args, folder, 'with', 1)
    print(f'checkpoint {size / 1e6:.0f} MB, {args.ranks} ranks: {(with_saves - without) / (args.steps - 1):.2f} s per save; peak memory of the '
          f'ranks: ' + ', '.join(f'{peak:.0f}' for peak in peaks) + ' MB')


if __name__ == '__main__':
    main()
