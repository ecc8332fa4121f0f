"""setup.sh: what a GPU's toolkit lacks is told before anything is compiled, with what to do about it."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
TOOLKITS = {"nvcc", "hipconfig", "glslc"}
FUNCTIONS = """eval "$(sed '/^step "Tools of this machine"/,$d' setup.sh)" """  # all that comes before the first step


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH has every program of this machine but those of GPUs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for program in Path(folder).glob("*"):
            if program.name not in TOOLKITS and not (programs / program.name).is_symlink():
                (programs / program.name).symlink_to(program)
    gone = str(tmp_path / "nowhere")
    own = {"CMAKE_ARGS", "CPATH", "CUDACXX", "VULKAN_SDK"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return kept | {"PATH": str(programs), "CUDA_PATH": gone, "ROCM_PATH": gone}


def check(gpu: str, environment: dict[str, str], then: str = "true") -> subprocess.CompletedProcess[str]:
    script = f"set -- dev; {FUNCTIONS}; check_gpu; {then}"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=REPOSITORY,
        env=environment | {"GPU": gpu},
        capture_output=True,
        text=True,
        check=False,
    )


def program(path: Path, text: str = "exit 0") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("gpu", "lacking", "remedy"),
    [
        ("cuda", "(nvcc)", "CUDA_PATH=/path/to/cuda make setup GPU=cuda"),
        ("rocm", "(hipconfig)", "ROCM_PATH=/path/to/rocm make setup GPU=rocm"),
        ("vulkan", "(glslc)", "glslc" if platform.system() == "Linux" else "brew install"),
    ],
)
def test_a_missing_toolkit_is_named_with_what_to_do(gpu: str, lacking: str, remedy: str, bare: dict[str, str]) -> None:
    ran = check(gpu, bare)
    assert ran.returncode == 1
    first, *lines = ran.stderr.splitlines()
    assert first.startswith("Failed: there is no ")
    assert lacking in first
    assert any(remedy in line for line in lines)
    assert any("make setup GPU=cpu" in line for line in lines)


@pytest.mark.skipif(platform.system() == "Darwin", reason="Metal is at home there")
def test_metal_is_refused_where_there_is_none(bare: dict[str, str]) -> None:
    ran = check("metal", bare)
    assert (ran.returncode, "macOS" in ran.stderr) == (1, True)


def test_without_a_gpu_no_toolkit_is_asked_for(bare: dict[str, str]) -> None:
    assert check("cpu", bare).returncode == 0


def test_toolkits_outside_of_path_are_found(tmp_path: Path, bare: dict[str, str]) -> None:
    program(tmp_path / "cuda/bin/nvcc")
    ran = check("cuda", bare | {"CUDA_PATH": str(tmp_path / "cuda")}, 'echo "$CUDACXX"')
    assert ran.stdout == f"{tmp_path}/cuda/bin/nvcc\n"
    program(tmp_path / "rocm/bin/hipconfig", "echo 6.2.41134-65d174c3e")
    ran = check("rocm", bare | {"ROCM_PATH": str(tmp_path / "rocm")}, "command -v hipconfig")
    assert ran.stdout == f"{tmp_path}/rocm/bin/hipconfig\n"


@pytest.mark.parametrize(("version", "code"), [("5.2.21153-0", 1), ("6.0.32830", 1), ("6.1.40091", 0), ("7.0.1", 0)])
def test_an_old_rocm_is_refused(version: str, code: int, tmp_path: Path, bare: dict[str, str]) -> None:
    program(tmp_path / "rocm/bin/hipconfig", f"echo {version}")
    ran = check("rocm", bare | {"ROCM_PATH": str(tmp_path / "rocm")})
    assert (ran.returncode, "6.1 or later" in ran.stderr) == (code, bool(code))


@pytest.mark.parametrize(("revision", "code"), [(239, 1), (271, 1), (272, 0), (309, 0)])
@pytest.mark.parametrize("named_by", ["VULKAN_SDK", "CMAKE_ARGS"])
def test_old_vulkan_headers_are_refused(
    named_by: str, revision: int, code: int, tmp_path: Path, bare: dict[str, str]
) -> None:
    program(tmp_path / "bin/glslc")
    header = tmp_path / "include/vulkan/vulkan_core.h"
    header.parent.mkdir(parents=True)
    header.write_text(f"#define VK_HEADER_VERSION {revision}\n")
    named = {
        "VULKAN_SDK": {"VULKAN_SDK": str(tmp_path)},
        "CMAKE_ARGS": {
            "PATH": f"{bare['PATH']}:{tmp_path / 'bin'}",
            "CMAKE_ARGS": f"-DGGML_LTO=ON -DVulkan_INCLUDE_DIR={tmp_path / 'include'}",
        },
    }
    ran = check("vulkan", bare | named[named_by])
    assert ran.returncode == code
    assert (f"revision {revision}" in ran.stderr) == bool(code)
    assert ("CMAKE_ARGS=-DVulkan_INCLUDE_DIR=" in ran.stderr) == bool(code)
