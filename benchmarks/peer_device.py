"""What the PyTorch peers share: on which device and in which type they run, and how they are timed there."""
import time

import torch


def add_arguments(parser, dtype):
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--dtype", default=dtype, choices=("f32", "bf16"),
                        help="on a GPU products of f32 are TF32, on both sides")


def use(parser, arguments):
    """Makes the device ready, or ends the program saying why it cannot. Returns its name and the torch dtype."""
    if arguments.device == "cuda":
        if not torch.cuda.is_available():
            parser.error(f"--device cuda: PyTorch {torch.__version__} "
                         f"({'built for CUDA ' + torch.version.cuda if torch.version.cuda else 'built without CUDA'}) sees no GPU; "
                         "nvidia-smi says whether the driver does, --device cpu needs none")
        torch.set_float32_matmul_precision("high")  # TF32, which is eflow's default
        torch.backends.cudnn.allow_tf32 = True
    return arguments.device, {"f32": torch.float32, "bf16": torch.bfloat16}[arguments.dtype]


def title(device):
    return torch.cuda.get_device_name() if device == "cuda" else "cpu"


def seconds(run, device):
    """Of one call, its work on the device included."""
    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
    synchronize()
    start = time.perf_counter()
    run()
    synchronize()
    return time.perf_counter() - start


def many_seconds(run, device, least=1.0, times=5):
    """Samples from at least so many calls and seconds, after two to warm up (compiled code is made in the first)."""
    for _ in range(2 if device == "cuda" else 1):
        seconds(run, device)
    taken, begin = [], time.perf_counter()
    while len(taken) < times or time.perf_counter() - begin < least:
        taken.append(seconds(run, device))
    return taken
