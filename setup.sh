#!/usr/bin/env bash
# From a fresh clone to what a make target needs. A second run takes seconds; a run after a failure goes on from there.
#
#   setup.sh run    packages, models, tuning, index of seeds/  (make setup, make chat)
#   setup.sh eval   run, and the packages of the evaluation  (make eval)
#   setup.sh bench  run, and the server that the benchmark compares with  (make bench)
#   setup.sh dev    packages and the tools of the checks  (make check, make lock)
#   setup.sh test   dev, the models and the browser that the tests use  (make test)
#
# GPU=cuda|vulkan|metal|rocm|cpu chooses what llama.cpp is compiled for; without it the last choice stays.
# PORT, where it is given, is checked early. PYTHON names the Python to use.
set -euo pipefail
cd "$(dirname "$0")"

GOAL=${1:-run}
case $GOAL in
run | eval) STEPS=6 ;;
bench) STEPS=7 ;;
test) STEPS=5 ;;
dev) STEPS=3 ;;
*)
    echo "usage: setup.sh run|eval|bench|dev|test" >&2
    exit 2
    ;;
esac
STEP=0
LOG=.venv/setup.log
export VIRTUAL_ENV=$PWD/.venv # whatever environment is active in the user's shell
DO_WITHOUT="Or do without: make setup GPU=cpu"
PACKAGES_KB=3000000 # measured: 1.0 GB in .venv, as much in uv's cache, 0.4 GB while compiling
CMAKE_FILES=(requirements/llama-cpp.cmake requirements/tile_config.h requirements/tiled_avx2.cpp requirements/repack_avx2.cpp
    requirements/dot_avx2.cpp)

step() {
    STEP=$((STEP + 1))
    echo "[$STEP/$STEPS] $*"
}

note() { echo "      $*"; }

fail() { # message, then lines that say what to do
    {
        echo "Failed: $1"
        shift
        printf '        %s\n' "$@" "A rerun goes on from here."
    } >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

install_hint() { # Debian's package names, then macOS's way
    if [ "$(uname)" = Darwin ]; then
        echo "Install it: $2"
    elif has apt-get; then
        echo "Install it: apt-get install $1   (with sudo, unless you are root)"
    else
        echo "Install your system's package for it (on Debian: $1)."
    fi
}

trap 'echo; echo "Stopped. A rerun goes on from here." >&2; exit 130' INT

# --- 1: what the machine must have -----------------------------------------------------------------------------------

supported() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; }

find_python() {
    local name
    for name in "${PYTHON:-}" .venv/bin/python python3 python3.13 python3.12 python3.11; do
        if [ -n "$name" ] && supported "$name"; then
            PYTHON=$name
            return
        fi
    done
    fail "there is no Python 3.11, 3.12 or 3.13 here (python3 is $(python3 --version 2>&1 || true))." \
        "$(install_hint python3 'brew install python@3.13')" "Or name one: make setup PYTHON=/path/to/python3.12"
}

check_compiler() {
    local cc=${CC:-cc} cxx=${CXX:-c++}
    for name in "$cc" "$cxx"; do
        has "$name" || fail "there is no C/C++ compiler ($name), which compiles llama.cpp for this processor." \
            "$(install_hint build-essential 'xcode-select --install')"
    done
}

check_port() {
    [ -z "${PORT:-}" ] && return
    "$PYTHON" - "$PORT" <<'PY' || fail "port $PORT cannot be used." \
        "If the chat is open already: http://127.0.0.1:$PORT" "Otherwise choose another one: make chat PORT=7861"
import socket, sys
with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", int(sys.argv[1])))
    except (OSError, OverflowError, ValueError) as error:
        sys.exit(f"      {error}")
PY
}

# --- 2: .venv and uv -------------------------------------------------------------------------------------------------

make_venv() {
    if [ -x .venv/bin/python ] && supported .venv/bin/python; then
        return
    fi
    [ -e .venv ] && fail ".venv holds no Python 3.11 to 3.13 that runs." "Remove it: rm -rf .venv"
    note "making .venv with $("$PYTHON" --version)"
    if ! "$PYTHON" -m venv .venv; then
        rm -rf .venv
        fail "$PYTHON cannot make a virtual environment." "$(install_hint python3-venv 'brew reinstall python')"
    fi
}

choose_index() { # uv knows nothing of pip's settings: hand over the index and the certificates
    local index=${PIP_INDEX_URL:-$(.venv/bin/python -m pip config get global.index-url 2>/dev/null || true)}
    if [ -n "$index" ]; then
        export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$index}
    fi
    if [ -n "${PIP_CERT:-}" ]; then
        export SSL_CERT_FILE=${SSL_CERT_FILE:-$PIP_CERT}
    fi
}

install_uv() {
    local wanted
    wanted=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements/uv.txt)
    if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d ' ' -f 2)" = "$wanted" ]; then
        return
    fi
    note "installing uv $wanted with pip"
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt ||
        fail "pip could not install uv." "Check the network, and pip's index settings: .venv/bin/pip config list"
}

# --- 3: packages -----------------------------------------------------------------------------------------------------

choose_gpu() {
    local before
    before=$(cat .venv/.gpu 2>/dev/null || true)
    GPU=${GPU:-${before:-$([ "$(uname)" = Darwin ] && echo metal || echo cpu)}}
    case $GPU in
    cpu) GPU_DEFINES="GGML_METAL=OFF" ;;
    cuda) GPU_DEFINES="GGML_CUDA=ON" ;;
    vulkan) GPU_DEFINES="GGML_VULKAN=ON" ;;
    metal) GPU_DEFINES="GGML_METAL=ON" ;;
    rocm) GPU_DEFINES="GGML_HIP=ON" ;;
    *) fail "GPU=$GPU is none of cpu, cuda, vulkan, metal, rocm." "Choose one of them: make setup GPU=cuda" ;;
    esac
}

check_gpu() { # the toolkit of $GPU, before anything is compiled; what is not seen here, CMake says in seconds
    case $GPU in
    cuda) check_cuda ;;
    rocm) check_rocm ;;
    vulkan) check_vulkan ;;
    metal) [ "$(uname)" = Darwin ] || fail "GPU=metal is for macOS, and this is $(uname)." "$DO_WITHOUT" ;;
    esac
}

check_cuda() {
    local home=${CUDA_PATH:-/usr/local/cuda} # where NVIDIA's packages put it, while CMake asks only PATH
    if [ -n "${CUDACXX:-}" ] || has nvcc; then
        return
    fi
    [ -x "$home/bin/nvcc" ] || fail "there is no CUDA compiler (nvcc), neither in PATH nor in $home/bin." \
        "Install NVIDIA's CUDA toolkit, or name it: CUDA_PATH=/path/to/cuda make setup GPU=cuda" "$DO_WITHOUT"
    export CUDACXX=$home/bin/nvcc
}

check_rocm() {
    local home=${ROCM_PATH:-/opt/rocm} found
    has hipconfig || export PATH=$PATH:$home/bin # CMake asks it where the compiler is
    has hipconfig || fail "there is no ROCm (hipconfig), neither in PATH nor in $home/bin." \
        "Install AMD's ROCm, 6.1 or later, or name it: ROCM_PATH=/path/to/rocm make setup GPU=rocm" "$DO_WITHOUT"
    found=$(hipconfig --version 2>/dev/null | sed -nE 's/^([0-9]+)\.([0-9]+).*/\1 \2/p')
    [ -z "$found" ] || [ $((${found% *} * 100 + ${found#* })) -ge 601 ] ||
        fail "ROCm ${found/ /.} is too old for llama.cpp, which needs 6.1 or later." "Install a newer one." "$DO_WITHOUT"
}

check_vulkan() {
    local found
    has glslc || has "${VULKAN_SDK:-.}/bin/glslc" ||
        fail "there is no compiler of Vulkan's shaders (glslc)." "$(vulkan_hint)" "$DO_WITHOUT"
    found=$(vulkan_headers)
    [ "${found:-272}" -ge 272 ] ||
        fail "the Vulkan headers here are of revision $found; llama.cpp needs 1.3.272 or later (Debian 12 has 1.3.239)." \
            "Take LunarG's Vulkan SDK (VULKAN_SDK names it), or unpack a newer package of headers anywhere and name it:" \
            "CMAKE_ARGS=-DVulkan_INCLUDE_DIR=/path/to/include make setup GPU=vulkan" "$DO_WITHOUT"
}

vulkan_headers() { # their revision, as far as the C compiler finds them
    local named
    named=$(sed -nE 's/.*-DVulkan_INCLUDE_DIR(:[A-Z]+)?=([^ ]+).*/\2/p' <<<"${CMAKE_ARGS:-}")
    printf '#include <vulkan/vulkan_core.h>\nrevision VK_HEADER_VERSION\n' |
        CPATH=$named:${VULKAN_SDK:-.}/include:${CPATH:-} ${CC:-cc} -E -P -x c - 2>/dev/null | sed -n 's/^revision \([0-9]*\)$/\1/p'
}

vulkan_hint() {
    install_hint "libvulkan-dev glslc spirv-headers" "brew install vulkan-headers vulkan-loader molten-vk shaderc spirv-headers"
}

fingerprint() { # of everything an installation depends on
    cat "$1" requirements/build.txt "${CMAKE_FILES[@]}" pyproject.toml - <<EOF | "$PYTHON" -c \
        'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
$PWD $GPU ${CMAKE_ARGS:-} $(.venv/bin/python --version)
EOF
}

cmake_files() { # a number for what is in them
    cat "${CMAKE_FILES[@]}" | cksum | cut -d ' ' -f 1
}

build_settings() { # as settings rather than environment: uv then keeps one built wheel for each choice
    local define # ASSISTANT_BUILD stands for our CMake files, which uv does not look into
    for define in ASSISTANT_BUILD="$(cmake_files)" GGML_NATIVE=ON LLAVA_BUILD=OFF LLAMA_BUILD_TOOLS=OFF \
        LLAMA_BUILD_EXAMPLES=OFF LLAMA_BUILD_TESTS=OFF LLAMA_BUILD_SERVER=OFF $GPU_DEFINES; do
        printf '%s\n' --config-settings-package "llama-cpp-python:cmake.define.$define"
    done
    if [ -n "${CMAKE_ARGS:-}" ]; then
        printf '%s\n' --config-settings-package "llama-cpp-python:cmake.args=${CMAKE_ARGS// /;}"
    fi
}

show_compiling() { # reads the log that uv writes meanwhile, until it is killed
    local start=$SECONDS told=0 counts done total bar
    while sleep 1 && kill -0 $$ 2>/dev/null; do
        counts=$(tail -c 100000 "$LOG" 2>/dev/null | grep -aoE '\[ *[0-9]+/[0-9]+\]' | tail -n 1 | tr -d '[] ' || true)
        [ -n "$counts" ] || continue
        done=${counts%/*} total=${counts#*/}
        if [ -t 1 ]; then
            bar=$(printf '%*s' $((30 * done / total)) '' | tr ' ' '#')
            printf '\r      compiling [%-30s] %s of %s files, %d:%02d ' "$bar" "$done" "$total" \
                $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60))
        elif [ $((SECONDS - start)) -ge $((told + 30)) ]; then
            told=$((SECONDS - start))
            note "compiling: $done of $total files after $told s"
        fi
    done
}

explain_failure() { # of uv, from its log
    grep -avE '^(DEBUG|TRACE|INFO) ' "$LOG" | tail -n 25 | cut -c 1-300 >&2
    grep -aE '(^|[ :])(fatal error|error):' "$LOG" | tail -n 5 | cut -c 1-300 >&2 || true
    if grep -aqiE 'no space left|disk quota' "$LOG"; then
        fail "the disk is full." "Free about 4 GB here and in ${TMPDIR:-/tmp}."
    elif grep -aqE 'dns error|connect error|[Cc]onnection refused|timed out|Failed to fetch' "$LOG"; then
        fail "packages could not be fetched." "Check the network; PIP_INDEX_URL names a mirror."
    elif grep -aqE 'Could NOT find Vulkan|provided by "SPIRV-Headers"' "$LOG"; then
        fail "llama.cpp does not find all that it needs to be compiled for Vulkan." "$(vulkan_hint)" "$DO_WITHOUT"
    elif [ "$GPU" != cpu ]; then
        fail "llama.cpp could not be compiled for GPU=$GPU." "Install the whole $GPU toolkit." "$DO_WITHOUT" \
            "All messages: $LOG"
    fi
    fail "the packages could not be installed." "The lines above say why; all messages: $LOG"
}

install_packages() { # requirements file
    local cores free settings=() build
    free=$(df -Pk . | awk 'NR == 2 { print $4 }')
    [ "$free" -ge $PACKAGES_KB ] ||
        fail "the packages need $((PACKAGES_KB / 1000)) MB; $PWD has $((free / 1000)) MB free." "Free some space."
    rm -f .venv/.ready .venv/.ready-eval .venv/.ready-dev
    build="$GPU $(cmake_files) ${CMAKE_ARGS:-}"
    if [ "$(cat .venv/.build 2>/dev/null || true)" != "$build" ]; then # uv would keep what is installed
        settings+=(--reinstall-package llama-cpp-python)
    fi
    cores=$(.venv/bin/python -c 'import os; print(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())')
    case $GPU in
    cuda | rocm) note "llama.cpp is compiled for this machine ($GPU), of which the GPU's 150 files take by far the longest;" ;;
    *) note "llama.cpp is compiled for this machine ($GPU), about $((4 / cores + 1)) min on $cores cores;" ;;
    esac
    note "everything else takes less than a minute"
    while IFS= read -r word; do settings+=("$word"); done < <(build_settings)
    show_compiling &
    trap "kill $! 2>/dev/null || true" EXIT
    env -u CMAKE_ARGS CMAKE_BUILD_PARALLEL_LEVEL="$cores" \
        CMAKE_TOOLCHAIN_FILE="${CMAKE_TOOLCHAIN_FILE:-$PWD/requirements/llama-cpp.cmake}" \
        .venv/bin/uv pip install --verbose --no-progress --compile-bytecode --require-hashes --build-constraints requirements/build.txt \
        "${settings[@]}" -r "$1" >"$LOG" 2>&1 || explain_failure
    .venv/bin/uv pip install --quiet --no-deps --build-constraints requirements/build.txt --editable . || explain_failure
    kill $! 2>/dev/null || true
    trap - EXIT
    [ -t 1 ] && printf '\r%80s\r' ''
    echo "$GPU" >.venv/.gpu
    echo "$build" >.venv/.build
}

packages() {
    local file=requirements/lock.txt mark=.venv/.ready
    if [ "$GOAL" = dev ] || [ "$GOAL" = test ] || [ -e .venv/.ready-dev ]; then
        file=requirements/dev.txt mark=.venv/.ready-dev
    elif [ "$GOAL" = eval ] || [ -e .venv/.ready-eval ]; then
        file=requirements/eval.txt mark=.venv/.ready-eval
    fi
    local now
    now=$(fingerprint $file)
    if [ "$(cat $mark 2>/dev/null || true)" = "$now" ]; then
        note "unchanged"
        return
    fi
    check_compiler
    check_gpu
    install_packages $file
    echo "$now" >$mark
}

# --- 4 to 6: models, tuning, index, browser --------------------------------------------------------------------------

browser() {
    local name
    for name in chromium chromium-browser google-chrome; do
        if has $name; then
            note "$name is here"
            return
        fi
    done
    if [ "$(id -u)" = 0 ] && has apt-get; then
        note "installing chromium with apt-get, about a minute"
        if apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
            --no-install-recommends chromium fonts-dejavu-core >.venv/apt.log 2>&1; then
            return
        fi
        note "that failed (.venv/apt.log); the browser tests are skipped"
    else
        note "no Chromium here; the browser tests are skipped. $(install_hint chromium 'brew install --cask chromium')"
    fi
}

bench_peer() { # without it the benchmark goes on, and says what it lacks
    local wanted
    wanted=$(sed -n 's/^xllamacpp==\([0-9.]*\).*/\1/p' requirements/bench.txt)
    if [ "$(.venv/bin/uv pip show xllamacpp 2>/dev/null | sed -n 's/^Version: //p')" = "$wanted" ]; then
        note "xllamacpp $wanted is here"
    elif .venv/bin/uv pip install --quiet --require-hashes -r requirements/bench.txt 2>.venv/bench.log; then
        note "installed xllamacpp $wanted, for the benchmark alone"
    else
        note "xllamacpp could not be installed (.venv/bench.log); the benchmark goes on without it"
    fi
}

step "Tools of this machine"
find_python
check_port
note "$("$PYTHON" --version)"

step "Virtual environment"
make_venv
choose_index
install_uv

step "Packages"
choose_gpu
packages
[ "$GOAL" = dev ] && exit 0

if [ "$GOAL" != test ]; then
    step "Models: 1.2 GB on the first run, checked by hash"
    .venv/bin/assistant models pull
    step "Engine settings for this machine: measured on the first run, in less than a minute"
    .venv/bin/assistant doctor --tune >/dev/null || note "that failed; the default settings are used"
    step "Index of seeds/, the example documents"
    .venv/bin/assistant ingest seeds
    if [ "$GOAL" = bench ]; then
        step "llama.cpp's server, to compare with"
        bench_peer
    fi
else
    step "Models for the tests: 1.3 GB on the first run, checked by hash"
    .venv/bin/assistant models pull qwen2.5-coder-1.5b smollm2-135m all-minilm-l6-v2
    step "Browser for the tests"
    browser
fi
