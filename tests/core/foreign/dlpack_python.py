"""DLPack against NumPy and PyTorch, both ways and without a copy: dlpack_python.py LIBRARY. Exits with 77 without
either of them."""
import ctypes
import sys

library = ctypes.CDLL(sys.argv[1])
library.test_share.restype = ctypes.c_void_p
library.test_adopt.restype = ctypes.c_double
library.test_adopt.argtypes = [ctypes.c_void_p, ctypes.c_int]
new = ctypes.pythonapi.PyCapsule_New
new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
address = ctypes.pythonapi.PyCapsule_GetPointer
address.restype, address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
rename = ctypes.pythonapi.PyCapsule_SetName
rename.argtypes = [ctypes.py_object, ctypes.c_char_p]
names = {0: (b"dltensor", b"used_dltensor"), 1: (b"dltensor_versioned", b"used_dltensor_versioned")}


class Shared:
    """A tensor of eflow's, as other libraries expect one."""

    def __init__(self, dtype):
        self.dtype = dtype

    def __dlpack_device__(self):
        return 1, 0

    def __dlpack__(self, *, stream=None, max_version=None, **_):
        versioned = int(max_version is not None and max_version[0] >= 1)
        return new(library.test_share(self.dtype, versioned), names[versioned][0], None)


def adopt(capsule, versioned):
    total = library.test_adopt(address(capsule, names[versioned][0]), versioned)
    rename(capsule, names[versioned][1])  # the capsule no longer owns it
    return total


checked = 0
try:
    import numpy
except ImportError:
    numpy = None
if numpy is not None:
    array = numpy.from_dlpack(Shared(0))
    assert array.shape == (3, 2) and array.strides == (4, 12), array.strides
    assert (array == numpy.arange(6, dtype=numpy.float32).reshape(2, 3).T).all(), array
    del array
    ours = numpy.arange(12, dtype=numpy.float32).reshape(3, 4)
    for versioned in [0, 1] if numpy.lib.NumpyVersion(numpy.__version__) >= "2.1.0" else [0]:
        before = ours.copy()
        capsule = ours.__dlpack__(max_version=(1, 0)) if versioned else ours.__dlpack__()
        assert adopt(capsule, versioned) == before.sum()
        assert (ours == 2 * before).all(), ours  # in place: the memory is NumPy's
    checked += 1
try:
    import torch
except ImportError:
    torch = None
if torch is not None:
    for dtype, name in [(0, torch.float32), (1, torch.bfloat16)]:
        tensor = torch.from_dlpack(Shared(dtype))
        assert tensor.dtype == name and tensor.stride() == (1, 3), tensor
        assert (tensor.float() == torch.arange(6.0).reshape(2, 3).T).all(), tensor
    del tensor
    for name in [torch.float32, torch.bfloat16]:
        ours = torch.arange(12, dtype=name).reshape(3, 4)
        assert adopt(torch.utils.dlpack.to_dlpack(ours), 0) == 66
        assert (ours == 2 * torch.arange(12, dtype=name).reshape(3, 4)).all(), ours
    checked += 1
print("checked against", checked, "libraries")
sys.exit(0 if checked else 77)
