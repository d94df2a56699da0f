"""What the scripts of this folder disturb: small runs of the program, and how their results are compared.

A scenario starts from a folder `work`, in which everything is: inputs, outputs, the JIT's cache, HOME. Numbers that depend on time
are not part of a result.
"""
import hashlib
import json
import os
import shutil
import struct
import subprocess

TINY = ('[exact]\nkind = gaussian\nchannels = 2\nframes = 4\nheight = 4\nwidth = 4\n'
        '[model]\ndim = 32\nheads = 2\nencoder = 1\nmiddle = 1\ndecoder = 1\npatch_t = 1\npatch_h = 2\npatch_w = 2\n'
        'attention = softmax\nprediction = velocity\nposition_table = false\nlong_residual = false\n'
        '[train]\nbatch = 4\n[optim]\nwarmup = 1\n[eval]\nevery = 0\n[sample]\nevery = 0\n[log]\nevery = 1\n')


class Program:
    def __init__(self, eflow, work, environment=None):
        self.eflow, self.work = os.path.abspath(eflow), work
        self.environment = dict(os.environ, EFLOW_THREADS='1', HOME=work, EFLOW_CACHE_DIR=os.path.join(work, 'cache'),
                                LC_ALL='C', **(environment or {}))

    def run(self, words, timeout=300):
        """Returns the exit code (negative: a signal) and the output."""
        done = subprocess.run([self.eflow] + words, cwd=self.work, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        return done.returncode, done.stdout.decode(errors='replace')

    def must(self, words):
        code, text = self.run(words)
        if code != 0:
            raise SystemExit(f'eflow {" ".join(words)}: exit code {code}\n{text}')
        return text


def hash_of(path):
    with open(path, 'rb') as file:
        return hashlib.sha256(file.read()).hexdigest()


def checkpoints_of(run):
    """Steps of the checkpoints that have a final name."""
    folder = os.path.join(run, 'checkpoints')
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(int(name[5:]) for name in names if name.startswith('step-') and name[5:].isdigit())


def state_of(run, step):
    """Hashes of the arrays of a checkpoint, by name, however its files divide them."""
    with open(os.path.join(run, 'checkpoints', f'step-{step:08d}', 'manifest.json')) as file:
        return {array['name']: array['content'] for array in json.load(file)['arrays']}


def metrics_of(run):
    """What does not depend on time, of each line."""
    with open(os.path.join(run, 'metrics.jsonl')) as file:
        lines = [json.loads(line) for line in file]
    return [[line[key] for key in ('step', 'loss', 'grad_norm', 'lr', 'ids_hash')] for line in lines]


def write_npy(path, shape, dtype, values):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header += ' ' * (-(len(header) + 11) % 64) + '\n'
    with open(path, 'wb') as file:
        file.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode() + values)


class Scenario:
    name = ''
    once = False   # whether the command refuses to do again what is done
    cache = False  # whether a result may be missing, with a warning: it is made again when it is needed

    def prepare(self, program):
        """Makes what the command finds."""

    def words(self):
        """The command."""
        raise NotImplementedError

    def result(self, work):
        """What an undisturbed command leaves, or the same after a disturbed one and a repetition."""
        raise NotImplementedError

    def kept(self, work):
        """Committed work: a set that a disturbance must not shrink."""
        return set()


class Train(Scenario):
    name = 'train'
    steps, every, keep = 4, 2, 2
    runs = ('run',)

    def prepare(self, program):
        with open(os.path.join(program.work, 'tiny.ini'), 'w') as file:
            file.write(TINY)
        program.must(Train.words(self)[:3] + ['--out', 'first', '--train.iterations=1'])  # compiles kernels: scenario `compile`
        shutil.rmtree(os.path.join(program.work, 'first'))

    def words(self):
        return ['train', '--config', 'tiny.ini', '--out', 'run', f'--train.iterations={self.steps}',
                f'--checkpoint.every={self.every}', f'--checkpoint.keep={self.keep}']

    def result(self, work):
        results = []
        for run in self.folders(work):
            steps = checkpoints_of(run)
            results.append([steps[-1:], state_of(run, steps[-1]) if steps else None, metrics_of(run)])
        return results

    def kept(self, work):
        """A checkpoint stands for those before it, which retention may remove."""
        return {(run, step) for run in self.folders(work) for step in range(max(checkpoints_of(run), default=-1) + 1)}

    def folders(self, work):
        return [os.path.join(work, run) for run in self.runs]


class Save(Train):
    """A save after every step, each of which removes the one before."""
    name = 'save'
    steps, every, keep = 3, 1, 1


class Ranks(Save):
    """The same by two ranks, which are threads of the program."""
    name = 'ranks'

    def words(self):
        return super().words() + ['--ranks-simulated', '2', '--train.shards=2']


class Resume(Train):
    name = 'resume'

    def prepare(self, program):
        super().prepare(program)
        words = super().words()
        program.must([word.replace('iterations=4', 'iterations=2') for word in words])


class Stages(Train):
    """A change of stages: the second one begins from the first one's weights."""
    name = 'stages'
    runs = ('run/stage-1', 'run/stage-2')

    def words(self):
        return super().words() + ['--stage1.train.iterations=2', '--stage2.train.iterations=2']


class Pack(Scenario):
    name = 'pack'

    def prepare(self, program):
        clips = 6
        values = bytes((i * 7919 + i // 5) % 251 for i in range(clips * 4 * 8 * 8 * 3))
        write_npy(os.path.join(program.work, 'videos.npy'), (clips, 4, 8, 8, 3), '|u1', values)
        write_npy(os.path.join(program.work, 'labels.npy'), (clips,), '|u1', bytes(i % 3 for i in range(clips)))

    def words(self):
        return ['data', 'pack', '--videos', 'videos.npy', '--labels', 'labels.npy', '--out', 'set']

    def result(self, work):
        folder = os.path.join(work, 'set')
        return {name: hash_of(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if not name.startswith('.')}

    def kept(self, work):
        """The manifest commits a data set. Before it, the last shard, which is not full, may be packed again."""
        folder = os.path.join(work, 'set')
        names = os.listdir(folder) if os.path.isdir(folder) else []
        return {name for name in names if name[0] != '.' and '.tmp-' not in name} if 'manifest.json' in names else set()


class Export(Train):
    name = 'export'
    once = True

    def prepare(self, program):
        super().prepare(program)
        program.must(super().words())

    def words(self):
        return ['export', '--run', 'run', '--out', 'exported']

    def result(self, work):
        folder = os.path.join(work, 'exported')
        return {os.path.relpath(os.path.join(at, name), folder): hash_of(os.path.join(at, name))
                for at, _, names in os.walk(folder) for name in names if '.tmp-' not in name}


class Tune(Scenario):
    """Records of measurements, as another machine exported them."""
    name = 'tune'

    def prepare(self, program):
        program.must(['jit', 'tune', 'run', 'gemm<f32, f32>', '--sizes', 'm=64,n=64,k=64,problems=1', '--budget-s', '20'])
        program.must(['jit', 'tune', 'export', 'records.json'])
        os.rename(os.path.join(program.work, 'cache'), os.path.join(program.work, 'cache-of-another'))

    def words(self):
        return ['jit', 'tune', 'import', 'records.json']

    def result(self, work):
        cache = os.path.join(work, 'cache')
        paths = [os.path.relpath(os.path.join(at, name), cache) for at, _, names in os.walk(cache) for name in names]
        return {path: hash_of(os.path.join(cache, path)) for path in paths
                if path.startswith('v1/tune/') and path.endswith('.json')}

    def kept(self, work):
        return set(self.result(work))


class Compile(Scenario):
    """The JIT's cache."""
    name = 'compile'
    cache = True

    def words(self):
        return ['jit', 'compile', 'reduce<bf16, f32>(1)']

    def result(self, work):
        return sorted(os.path.relpath(os.path.join(at, name), work) for at, _, names in os.walk(os.path.join(work, 'cache'))
                      for name in names if name.endswith('.art'))


SCENARIOS = {scenario.name: scenario for scenario in (Pack(), Train(), Save(), Ranks(), Resume(), Stages(), Export(), Tune(), Compile())}
