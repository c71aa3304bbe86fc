"""Environment variables that somebody's program is given: what systems, shells and libraries of the field need, and no secret."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from harness.core.paths import MINE
from harness.core.privacy import OFFLINE

GIVEN = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "LANG", "LANGUAGE", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH",
    "VIRTUAL_ENV", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "MAX_JOBS", "COLUMNS", "NO_COLOR", "MPLCONFIGDIR", "DO_NOT_TRACK",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SOURCE_DATE_EPOCH", "LM_HARNESS_CACHE_PATH",
    "HARNESS_CACHE", MINE, OFFLINE,
    # Windows
    "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)",
    "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "OS",
})  # fmt: skip
"""Names of single variables, in capitals."""
FAMILIES = (
    "LC_", "XDG_", "PYTHON", "CONDA_",
    "HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TOKENIZERS_", "DATASETS_", "ACCELERATE_", "BNB_", "BITSANDBYTES_", "GPTQMODEL_", "OLIVE_", "VLLM_",
    "SGLANG_", "TLLM_", "TQDM_", "TORCH", "PYTORCH_", "TRITON_", "CUPY_", "NUMBA_", "ORT_", "ONNX", "LLAMA_", "GGML_",
    "CUDA", "CUDNN_", "CUBLAS_", "NCCL_", "NVIDIA_", "TRT_", "TENSORRT_", "ROCM_", "ROCR_", "HIP_", "HSA_", "SYCL_", "ONEAPI_", "ZE_", "DML_",
    "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "VECLIB_", "NUMEXPR_", "SLURM_",
)  # fmt: skip
"""Beginnings of names: languages and folders of the system, hub and model libraries, runtimes, accelerators, threads, a cluster's job."""
PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
"""Given where no password stands in them."""
_SECRET = re.compile(
    r"TOKEN(?!IZERS)|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|(API|ACCESS|PRIVATE|ACCOUNT)_?KEY|_KEY$|_PAT$",
    re.IGNORECASE,
)
"""Names of what an account is entered with; TOKENIZERS_PARALLELISM is none."""


def without_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables whose names do not say that they hold a secret."""
    return {name: value for name, value in variables.items() if not _SECRET.search(name)}


def for_programs(variables: Mapping[str, str], named: Collection[str] = ()) -> dict[str, str]:
    """Return what a program gets: variables of GIVEN and FAMILIES that are no secrets, and those that are named."""
    known = {name: value for name, value in without_secrets(variables).items() if _is_known(name.upper(), value)}
    return known | {name: value for name, value in variables.items() if name in named}


def _is_known(name: str, value: str) -> bool:
    return name in GIVEN or name.startswith(FAMILIES) or (name in PROXIES and "@" not in value)
