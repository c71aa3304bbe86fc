"""The machine and environment that a job stands in: packages, processor, GPUs, memory high-water marks."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import __version__
from harness.core.seam import Facts
from harness.core.spec import Environment, Gpu

CUDA_PROVIDERS = frozenset({"cuda", "NvTensorRtRtx"})
"""Providers of ONNX Runtime that compute with CUDA's libraries."""
_THREAD_SETTINGS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_AFFINITY")


# ---------------------------------------------------------------- environment


def environment(name: str) -> Environment:
    """Describe the place where this process runs; what cannot be found is left out, never guessed."""
    nvml = open_nvml()
    return Environment(
        name=name,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu=cpu_model(),
        cores=cores(),
        memory_bytes=_memory_bytes(),
        machine_id=machine_id(),
        gpus=gpus(nvml),
        cuda=_cuda(nvml),
        packages=packages(),
        threads={key: os.environ[key] for key in _THREAD_SETTINGS if key in os.environ},
        harness=harness_version(),
    )


def facts(environment: Environment) -> Facts:
    """Reduce an environment to what planning asks of it."""
    sizes = [gpu.memory_bytes for gpu in environment.gpus if gpu.memory_bytes is not None]
    return Facts(
        packages=environment.packages,
        system=environment.system,
        gpus=tuple(gpu.name for gpu in environment.gpus),
        gpu_bytes=max(sizes) if sizes else None,
        memory_bytes=environment.memory_bytes,
    )


def packages() -> dict[str, str]:
    """List installed distributions: version with its build behind `+`; behind `@` a source's commit, or of a wheel file its content."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name, version = _called(distribution)
        if name:
            found.setdefault(_normal(name), f"{version}{_commit_of(distribution)}")
    return dict(sorted(found.items()))


def _called(distribution: importlib.metadata.Distribution) -> tuple[str | None, str | None]:
    """Read name and version from the head of a distribution's metadata; parsing it whole takes ten times as long."""
    head = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
    name, version = (re.search(rf"^{field}: *(\S+)$", head, re.MULTILINE) for field in ("Name", "Version"))
    if name and version:
        return name[1], version[1]
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]


def _commit_of(distribution: importlib.metadata.Distribution) -> str:
    """Read the commit of a distribution that was installed from a repository; of one from a file or an address, hash its contents.

    Two wheels of one version are two things. Source: PEP 610 (direct_url.json), PEP 376 (RECORD).
    """
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return ""
    if not isinstance(origin, dict) or not origin:
        return ""
    commit = origin.get("vcs_info", {}).get("commit_id")
    if isinstance(commit, str):
        return f"@{commit[:12]}"
    if "archive_info" not in origin:  # a folder that is worked on, as our own
        return ""
    rows = [row.split(",")[:2] for row in (distribution.read_text("RECORD") or "").splitlines()]
    listed = sorted(f"{path},{sha}" for path, sha in (row for row in rows if len(row) == 2) if _of_wheel(path, sha))
    return "@" + hashlib.sha256("\n".join(listed).encode()).hexdigest()[:12]


def _of_wheel(path: str, sha: str) -> bool:
    """Tell what a wheel brings from what an installer writes: scripts of this place, and notes on the installation."""
    written = ("direct_url.json", "INSTALLER", "REQUESTED")
    return bool(sha) and not path.startswith("..") and path.rsplit("/", 1)[-1] not in written


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def harness_version() -> str:
    """Return the harness's version and, from a git checkout, its commit, `-dirty` where tracked files were changed."""
    version = __version__
    root = Path(__file__).resolve().parent.parent
    commit = _git(root, "rev-parse", "--short=12", "HEAD") if (root / ".git").exists() else None
    if not commit:
        return f"{version}+{told}" if (told := _told_commit()) else version
    dirty = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{version}+{commit}{'-dirty' if dirty else ''}"


def _told_commit() -> str:
    """Read the commit that a bundle says its harness is of."""
    try:
        return (Path(__file__).resolve().parent / "commit.txt").read_text("utf-8").strip()
    except OSError:
        return ""


def _git(root: Path, *words: str) -> str | None:
    try:
        ran = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


def cpu_model() -> str:
    """Return the processor's marketing name where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def machine_id() -> str:
    """Hash what tells this machine from others: its machine id (else network address) and processor."""
    try:
        identity = Path("/etc/machine-id").read_text("utf-8").strip()
    except OSError:
        identity = ""
    identity = identity or f"{uuid.getnode():x}"
    return hashlib.sha256(f"{identity}|{cpu_model()}|{platform.machine()}".encode()).hexdigest()[:12]


# ---------------------------------------------------------------- GPUs


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


# ---------------------------------------------------------------- memory


def peak_rss_bytes() -> int:
    """Return the highest resident set of this process since it began, as the system kept it; exact to about 1 MB."""
    try:
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):  # unlike ru_maxrss, not inherited from the parent
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import psutil

    now = psutil.Process().memory_info()
    if hasattr(now, "peak_wset"):
        return int(now.peak_wset)
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # macOS counts in bytes


def rss_bytes() -> int:
    """Return the resident set of this process now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def reset_peak_rss() -> bool:
    """Let the highest resident set begin anew from what is held now; False where the system cannot (all but Linux).

    Source: Linux, proc(5): writing 5 to /proc/PID/clear_refs resets VmHWM.
    """
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        return False
    return peak_rss_bytes() <= rss_bytes() + (4 << 20)


@dataclass(frozen=True)
class GpuMemory:
    """What a sampler saw, in bytes; None where it saw nothing."""

    process: int | None = None
    """Highest sum over GPUs that NVML counted for the process."""
    device: int | None = None
    """Highest sum over GPUs in use by anybody."""
    device_before: int | None = None
    """The same sum at the first sample."""
    samples: int = 0


FIRST_SAMPLE_SECONDS = 60.0
"""Within which a driver must have answered once; else the memory of its GPUs stays unknown."""


@dataclass
class MemorySampler:
    """Polls NVML for one process, from another process, so that the measured one is not disturbed.

    It ends when it is stopped or when this process does. Where there is no GPU it does nothing.
    """

    pid: int = field(default_factory=os.getpid)
    interval_seconds: float = 0.02
    command: tuple[str, ...] = (sys.executable, "-m", "harness.host")
    child: subprocess.Popen[str] | None = None
    found: GpuMemory = GpuMemory()

    def start(self) -> MemorySampler:
        """Begin to sample; returns once the first sample is taken."""
        self.child = subprocess.Popen(
            [*self.command, str(self.pid), str(self.interval_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        assert self.child.stdout is not None
        begun = threading.Thread(target=self.child.stdout.readline, daemon=True)
        begun.start()
        begun.join(timeout=FIRST_SAMPLE_SECONDS)
        if begun.is_alive():  # a driver that does not answer: memory stays unknown, and the measurement goes on
            self.child.kill()
        return self

    def stop(self) -> GpuMemory:
        """End sampling and return what was seen; a second call returns the same."""
        if self.child is None:
            return self.found
        child, self.child = self.child, None
        try:
            answer, _ = child.communicate(timeout=10)
            self.found = GpuMemory(**json.loads(answer))
        except (subprocess.TimeoutExpired, ValueError):
            child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(timeout=10)
        return self.found


def sample(nvml: Any, pid: int, before: GpuMemory) -> GpuMemory:
    """Take one sample and fold it into what was seen before."""
    used: list[int] = []
    mine: list[int] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        memory = ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        used += [] if memory is None else [int(memory.used)]
        running = ask(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()
        mine += [int(one.usedGpuMemory) for one in running if one.pid == pid and one.usedGpuMemory is not None]
    device = sum(used) if used else None
    return GpuMemory(
        process=_highest(before.process, sum(mine) if mine else None),
        device=_highest(before.device, device),
        device_before=before.device_before if before.samples else device,
        samples=before.samples + 1,
    )


def _highest(first: int | None, second: int | None) -> int | None:
    seen = [value for value in (first, second) if value is not None]
    return max(seen) if seen else None


def _watch(pid: int, interval_seconds: float) -> GpuMemory:
    """Sample until standard input ends."""
    over = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    nvml = open_nvml()
    seen = GpuMemory() if nvml is None else sample(nvml, pid, GpuMemory())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not over.wait(interval_seconds):
        if nvml is not None:
            seen = sample(nvml, pid, seen)
    return seen


def load_average() -> tuple[float, float, float] | None:
    """Return the system's load averages where it keeps them."""
    return os.getloadavg() if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    memory = _watch(int(sys.argv[1]), float(sys.argv[2]))
    sys.stdout.write(json.dumps(memory.__dict__))
