#!/usr/bin/env python3
"""Runs the campaigns of this folder and writes their results into the table of docs/reliability.md.

  report.py EFLOW SHIM [--only NAME ...] [--scale X]
  report.py EFLOW SHIM --output NAME FILE COMMAND    the result of a command that was run by hand

Names: faults, power_loss, kills, damage, soak, fuzz. --scale 0.1 makes each campaign a tenth as long. A campaign that is not run keeps its
row. Fuzzing builds build/fuzz (scripts/fuzz.sh).
"""
import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PAGE = os.path.join(ROOT, 'docs', 'reliability.md')
BEGIN, END = '<!-- table of scripts/reliability/report.py -->\n', '<!-- end of table -->\n'


def campaigns(scale):
    """Command lines, by name; EFLOW and SHIM stand for the program and the library."""
    whole = lambda count: max(1, round(count * scale))
    return {
        'faults': f'scripts/reliability/faults.py EFLOW SHIM --most {whole(20000)}',
        'power_loss': f'scripts/reliability/power_loss.py EFLOW SHIM --most {whole(2000)}',
        'kills': f'scripts/reliability/kills.py EFLOW --kills {whole(1000)}',
        'damage': f'scripts/reliability/damage.py EFLOW --flips {whole(10000)} --cuts {whole(1000)}',
        'soak': f'scripts/reliability/soak.py EFLOW --minutes {max(1, 120 * scale):g}',
        'fuzz': f'scripts/fuzz.sh {whole(3600)}',
    }


def run(line, args):
    """Returns whether it went well, and the output."""
    words = [{'EFLOW': args.eflow, 'SHIM': args.shim}.get(word, word) for word in line.split()]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode(errors='replace')
    sys.stdout.write(text)
    sys.stdout.flush()
    return done.returncode == 0, text


def result_of(text):
    """The last line of a campaign's output, or the sum over fuzz targets."""
    fuzzed = re.findall(r'^(\w+) +(\d+) executions, (.*)$', text, re.MULTILINE)
    if not fuzzed:
        return text.rstrip('\n').split('\n')[-1]
    findings = sum(what != 'no finding' for _, _, what in fuzzed)
    return f'{len(fuzzed)} targets, {sum(int(n) for _, n, _ in fuzzed)} executions, {findings} findings'


def record(name, line, text):
    """Replaces the campaign's row."""
    with open(PAGE) as file:
        before, rest = file.read().split(BEGIN)
    table, after = rest.split(END)
    rows = rows_of(table)
    rows[name] = f'| `{line}` | {result_of(text)} |'
    lines = ['| campaign | command | result |', '| --- | --- | --- |']
    lines += [f'| {key} {rows[key]}' for key in campaigns(1) if key in rows]
    with open(PAGE, 'w') as file:
        file.write(before + BEGIN + '\n'.join(lines) + '\n' + END + after)


def rows_of(text):
    return dict(re.findall(r'^\| (\w+) (\|.*\|)$', text, re.MULTILINE))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('eflow')
    parser.add_argument('shim')
    parser.add_argument('--only', nargs='+', choices=campaigns(1), default=list(campaigns(1)))
    parser.add_argument('--scale', type=float, default=1)
    parser.add_argument('--output', nargs=3, metavar=('NAME', 'FILE', 'COMMAND'))
    args = parser.parse_args()
    if args.output:
        name, path, line = args.output
        with open(path) as file:
            record(name, line, file.read())
        return
    args.eflow, args.shim = os.path.abspath(args.eflow), os.path.abspath(args.shim)
    well = True
    for name in args.only:
        line = campaigns(args.scale)[name]
        good, text = run(line, args)
        well = well and good
        record(name, line, text)
    sys.exit(0 if well else 1)


if __name__ == '__main__':
    main()
