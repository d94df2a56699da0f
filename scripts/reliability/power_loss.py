#!/usr/bin/env python3
"""Power cuts: rebuilds, from a log of all changes to files, what a disk may hold at every moment, and runs the program on it.

  power_loss.py EFLOW SHIM [--scenario NAME ...] [--most N] [--minutes M] [--seed S] [--keep]

After each change of the log there are several such states. Surely there is what was fsynced: the content of files, the names in folders.
Of the rest:
  none     nothing else is there
  names    all names, but only synced content: a rename overtook the data of its file
  data     all content, but only synced names
  some     of each change since the last fsync, chosen by chance, an arbitrary part
The name of a new folder is taken to be durable once something in it was fsynced, as on journaling file systems.
For each state, what was committed at that moment must be there, and the repeated command must succeed with the undisturbed result.
"""
import argparse
import os
import random
import shutil
import struct
import sys
import tempfile
import time

from faults import STATE_BYTES
from scenarios import SCENARIOS, Program

RECORD = struct.Struct('<8sQqIIII')
KINDS = ('none', 'names', 'data', 'some')


class File:
    """Content, and the changes of it since the last fsync."""

    def __init__(self, content=b''):
        self.synced, self.changes = bytearray(content), []

    def content(self, chosen):
        out = bytearray(self.synced)
        for offset, data in self.changes:
            if not chosen():
                continue
            if data is None:
                del out[offset:]
                out.extend(bytes(offset - len(out)))
            else:
                out.extend(bytes(max(0, offset + len(data) - len(out))))
                out[offset:offset + len(data)] = data
        return bytes(out)


class Folder:
    """Names, as the last fsync left them, and the changes since."""

    def __init__(self):
        self.synced, self.now, self.changes = {}, {}, []

    def change(self, name, node):
        self.changes.append((name, node))
        apply(self.now, name, node)

    def sync(self):
        self.synced, self.changes = dict(self.now), []

    def names(self, chosen):
        out = dict(self.synced)
        for name, node in self.changes:
            if chosen():
                apply(out, name, node)
        return out


def apply(names, name, node):
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


class Disk:
    def __init__(self, root):
        """What a folder holds, all of it synced."""
        self.root = root
        self.top = self.read(root)

    def read(self, path):
        folder = Folder()
        for name in os.listdir(path):
            inner = os.path.join(path, name)
            if os.path.isdir(inner):
                folder.now[name] = self.read(inner)
            else:
                with open(inner, 'rb') as file:
                    folder.now[name] = File(file.read())
        folder.sync()
        return folder

    def find(self, path):
        """Folder and name."""
        parts = os.path.relpath(path, self.root).split(os.sep)
        node = self.top
        for part in parts[:-1]:
            node = node.now[part]
        return node, parts[-1]

    def node(self, path):
        if os.path.relpath(path, self.root) == '.':
            return self.top
        folder, name = self.find(path)
        return folder.now[name]

    def change(self, kind, offset, path, to, data):
        if kind in ('write', 'cut', 'fsync') and path.endswith(' (deleted)'):
            return
        if kind == 'create':
            self.set(path, File())
        elif kind == 'mkdir':
            self.set(path, Folder())
        elif kind in ('unlink', 'rmdir'):
            self.set(path, None)
        elif kind == 'write':
            self.node(path).changes.append((offset, data))
        elif kind == 'cut':
            self.node(path).changes.append((offset, None))
        elif kind == 'fsync':
            self.keep_folders(path)
            file = self.node(path)
            file.synced, file.changes = bytearray(file.content(lambda: True)), []
        elif kind == 'syncdir':
            self.keep_folders(path)
            self.node(path).sync()
        elif kind == 'rename':
            node = self.node(path)
            self.set(path, None)
            self.set(to, node)
        elif kind == 'exchange':
            first, second = self.node(path), self.node(to)
            self.set(path, second)
            self.set(to, first)
        else:
            raise SystemExit(f'unknown change {kind}')

    def keep_folders(self, path):
        """Makes the names of the folders above a path durable."""
        node = self.top
        for part in [part for part in os.path.relpath(path, self.root).split(os.sep) if part != '.']:
            inner = node.now[part]
            if isinstance(inner, Folder) and node.synced.get(part) is not inner:
                node.synced[part] = inner
            node = inner

    def set(self, path, node):
        folder, name = self.find(path)
        folder.change(name, node)

    def write(self, target, kind, chooser):
        """Writes a state that a power cut may leave."""
        toss = (lambda: chooser.random() < 0.5)
        names = {'none': lambda: False, 'names': lambda: True, 'data': lambda: False, 'some': toss}[kind]
        content = {'none': lambda: False, 'names': lambda: False, 'data': lambda: True, 'some': toss}[kind]

        def put(folder, path):
            os.makedirs(path, exist_ok=True)
            for name, node in folder.names(names).items():
                inner = os.path.join(path, name)
                if isinstance(node, Folder):
                    put(node, inner)
                else:
                    with open(inner, 'wb') as file:
                        file.write(node.content(content))

        put(self.top, target)


def records_of(path):
    with open(path, 'rb') as file:
        raw = file.read()
    at = 0
    while at < len(raw):
        kind, _, offset, path_bytes, to_bytes, data_bytes, _ = RECORD.unpack_from(raw, at)
        at += RECORD.size
        texts = []
        for size in (path_bytes, to_bytes, data_bytes):
            texts.append(raw[at:at + size])
            at += size
        yield kind.rstrip(b'\0').decode(), offset, os.path.normpath(texts[0].decode()), os.path.normpath(texts[1].decode()), texts[2]


def fingerprint(folder):
    parts = []
    for at, folders, names in sorted(os.walk(folder)):
        for name in sorted(names):
            with open(os.path.join(at, name), 'rb') as file:
                parts.append((os.path.relpath(os.path.join(at, name), folder), hash(file.read())))
        parts += [os.path.relpath(os.path.join(at, name), folder) for name in sorted(folders)]
    return hash(tuple(parts))


class Replay:
    def __init__(self, args, scenario, folder):
        self.args, self.scenario = args, scenario
        self.work, self.before = os.path.join(folder, 'work'), os.path.join(folder, 'before')
        self.state, self.log = os.path.join(folder, 'state'), os.path.join(folder, 'log')
        os.makedirs(self.work)
        scenario.prepare(Program(args.eflow, self.work))
        shutil.copytree(self.work, self.before)
        with open(self.state, 'wb') as file:
            file.write(bytes(STATE_BYTES))
        Program(args.eflow, self.work, {'LD_PRELOAD': os.path.abspath(args.shim), 'EFLOW_FAULT_UNDER': self.work,
                                        'EFLOW_FAULT_STATE': self.state, 'EFLOW_FAULT_LOG': self.log}).must(scenario.words())
        self.expected = scenario.result(self.work)
        self.records = list(records_of(self.log))
        # The log tells the whole story only if replaying all of it gives what is there.
        disk = self.disk()
        for record in self.records:
            disk.change(*record)
        for node in disk.top.now.values():
            sync_all(node)
        disk.top.sync()
        rebuilt = os.path.join(folder, 'rebuilt')
        disk.write(rebuilt, 'none', random)
        if scenario.result(rebuilt) != self.expected:
            raise SystemExit(f'{scenario.name}: the log does not lead to the result')

    def disk(self):
        shutil.rmtree(self.work)
        shutil.copytree(self.before, self.work)
        return Disk(self.work)

    def states(self, chooser, chance):
        """Yields (number of changes, kind) with the state written to `work`, each state once."""
        disk, seen = self.disk(), set()
        kept = self.scenario.kept(self.work)  # committed before the command
        for number, record in enumerate(self.records, 1):
            disk.change(*record)
            if self.goes_on(number):
                continue
            kept |= self.committed(disk, chooser) if record[0] == 'syncdir' else set()
            for kind in KINDS:
                if chooser.random() >= chance:
                    continue
                shutil.rmtree(self.work)
                disk.write(self.work, kind, chooser)
                mark = fingerprint(self.work)
                if mark in seen:
                    continue
                seen.add(mark)
                yield number, kind, kept

    def goes_on(self, number):
        """Whether the change is one of a row of writes, and not the last."""
        return number < len(self.records) and self.records[number - 1][0] == self.records[number][0] == 'write'

    def committed(self, disk, chooser):
        """What is durable after the fsync of a folder: it is there if nothing else is."""
        shutil.rmtree(self.work)
        disk.write(self.work, 'none', chooser)
        return self.scenario.kept(self.work)

    def check(self, kept):
        problems = []
        missing = kept - self.scenario.kept(self.work)
        if missing:
            problems.append(f'lost {sorted(missing, key=str)}')
        code, text = Program(self.args.eflow, self.work).run(self.scenario.words())
        if code != 0:
            return problems + [f'exit code {code}\n{text}']
        try:
            if self.scenario.result(self.work) != self.expected:
                problems.append(f'the result differs\n{text}')
        except (OSError, ValueError, KeyError) as error:
            problems.append(f'the result cannot be read: {error}\n{text}')
        return problems


def sync_all(node):
    if isinstance(node, File):
        node.synced, node.changes = bytearray(node.content(lambda: True)), []
        return
    for inner in node.now.values():
        sync_all(inner)
    node.sync()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('eflow')
    parser.add_argument('shim')
    parser.add_argument('--scenario', nargs='+', choices=SCENARIOS,
                        default=['pack', 'train', 'save', 'ranks', 'resume', 'stages', 'tune', 'compile'])
    parser.add_argument('--most', type=int, default=10**9, help='states per scenario, about')
    parser.add_argument('--minutes', type=float, default=1e9, help='at most, in equal parts')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--keep', action='store_true', help='keep the folders')
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix='eflow-power-')
    total, failed = 0, 0
    for name in args.scenario:
        replay = Replay(args, SCENARIOS[name], os.path.join(folder, name))
        chooser = random.Random(args.seed)
        points = sum(not replay.goes_on(number) for number in range(1, len(replay.records) + 1))
        chance = min(1.0, args.most / (len(KINDS) * points))
        count, end = 0, time.monotonic() + 60 * args.minutes / len(args.scenario)
        for number, kind, kept in replay.states(chooser, chance):
            if time.monotonic() > end:
                break
            count += 1
            for problem in replay.check(kept):
                failed += 1
                print(f'FAULT: {name}: after change {number} ({" ".join(map(str, replay.records[number - 1][:4]))}), {kind}: {problem}',
                      flush=True)
        print(f'{name:10} {len(replay.records):6} changes {count:6} states')
        total += count
    print(f'{total} states after power cuts, {failed} faults')
    if not args.keep:
        shutil.rmtree(folder)
    sys.exit(1 if failed or total == 0 else 0)


if __name__ == '__main__':
    main()
