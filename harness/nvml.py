"""NVIDIA's management library: GPUs, their drivers and clocks; and the CUDA libraries that wheels bring."""

from __future__ import annotations

from typing import Any

from harness.core.outcome import Gpu

CUDA_PROVIDERS = frozenset({"cuda", "NvTensorRtRtx"})
"""Providers of ONNX Runtime that compute with CUDA's libraries."""


def open_nvml() -> Any | None:
    """Return NVIDIA's management library, initialised, or None where there is no driver."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no package, no library, no driver: all mean that there is no GPU to speak of
        return None
    return pynvml


def gpus(nvml: Any | None) -> tuple[Gpu, ...]:
    """Describe the GPUs that a driver shows, in its order."""
    if nvml is None:
        return ()
    driver = ask(nvml.nvmlSystemGetDriverVersion)
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    return tuple(_gpu(nvml, handle, driver) for handle in handles)


def gpu_uuids(nvml: Any | None) -> tuple[str, ...]:
    """Return what tells this machine's GPUs from all others; it is for locks alone and never recorded."""
    if nvml is None:
        return ()
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    return tuple(_text(found) for handle in handles if (found := ask(nvml.nvmlDeviceGetUUID, handle)) is not None)


def _gpu(nvml: Any, handle: Any, driver: Any) -> Gpu:
    memory = ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    compute = ask(nvml.nvmlDeviceGetCudaComputeCapability, handle)
    persistence = ask(nvml.nvmlDeviceGetPersistenceMode, handle)
    return Gpu(
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_bytes=None if memory is None else int(memory.total),
        driver=None if driver is None else _text(driver),
        clocks_mhz=clocks_mhz(nvml, handle),
        persistence=None if persistence is None else bool(persistence),
        compute=None if compute is None else f"{compute[0]}.{compute[1]}",
    )


def clocks_mhz(nvml: Any, handle: Any) -> dict[str, int]:
    """Read a GPU's present and highest clocks: graphics, memory, graphics-max, memory-max."""
    kinds = {"graphics": nvml.NVML_CLOCK_GRAPHICS, "memory": nvml.NVML_CLOCK_MEM}
    found = {name: ask(nvml.nvmlDeviceGetClockInfo, handle, kind) for name, kind in kinds.items()}
    found |= {f"{name}-max": ask(nvml.nvmlDeviceGetMaxClockInfo, handle, kind) for name, kind in kinds.items()}
    return {name: int(value) for name, value in found.items() if value is not None}


def _cuda(nvml: Any | None) -> str | None:
    """Return the CUDA version that the driver offers."""
    version = ask(nvml.nvmlSystemGetCudaDriverVersion_v2) if nvml is not None else None
    return None if version is None else f"{version // 1000}.{version % 1000 // 10}"


def ask(question: Any, *given: Any) -> Any:
    """Ask NVML; a question that this driver or GPU does not answer has no answer."""
    try:
        return question(*given)
    except Exception:  # NVMLError in its many subclasses, one per reason
        return None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def load_cuda_libraries(provider: str) -> None:
    """Load CUDA's and cuDNN's libraries from the wheels beside ONNX Runtime, before it opens anything on that provider.

    It finds them by itself only where torch was imported before or the system has them; a session then runs on the CPU
    instead, and GenAI does not open at all. Other providers, and an ONNX Runtime before 1.21, are left alone.
    """
    if provider not in CUDA_PROVIDERS:
        return
    import onnxruntime

    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
