"""Shared by the PyTorch peers: device and dtype options, and timing."""
import time

import torch


def add_arguments(parser, dtype):
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--dtype", default=dtype, choices=("f32", "bf16"),
                        help="on a GPU, f32 products use TF32 in both programs")


def use(parser, arguments):
    """Prepares the device and returns its name and the torch dtype; exits with a message if it is unavailable."""
    if arguments.device == "cuda":
        if not torch.cuda.is_available():
            parser.error(f"--device cuda: PyTorch {torch.__version__} "
                         f"({'built for CUDA ' + torch.version.cuda if torch.version.cuda else 'built without CUDA'}) finds no GPU; "
                         "check with nvidia-smi whether the driver finds one, or use --device cpu")
        torch.set_float32_matmul_precision("high")  # TF32, which is eflow's default
        torch.backends.cudnn.allow_tf32 = True
    return arguments.device, {"f32": torch.float32, "bf16": torch.bfloat16}[arguments.dtype]


def title(device):
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def seconds(run, device):
    """Returns the duration of one call, including its work on the device."""
    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
    synchronize()
    start = time.perf_counter()
    run()
    synchronize()
    return time.perf_counter() - start


def many_seconds(run, device, least=1.0, times=5):
    """Times at least `times` calls and `least` seconds, after warm-up calls (the first one compiles)."""
    for _ in range(2 if device == "cuda" else 1):
        seconds(run, device)
    taken, begin = [], time.perf_counter()
    while len(taken) < times or time.perf_counter() - begin < least:
        taken.append(seconds(run, device))
    return taken
