#!/usr/bin/env bash
# Run everything that waits for a GPU, in less than six minutes, and write what the docs take into one folder.
#
#     scripts/on_gpu.sh [--device cuda|cpu] [--trial]
#
# The folder is $OUT, by default runs/gpu. summary.md says what ran; machine.md describes the machine; tests.log,
# methods.md, compiled.md, training.md and folder.md hold the results; methods.log shows how far the methods came.
# A part that fails or runs out of time does not stop the others. The exit status is 1 if any part failed.
#
# It uses the first Python with all packages: $PYTHON, .venv, or python3. If none has them, it makes .venv-gpu from PyPI.
# On a machine without a network, put wheels of what is missing into the folder .whl beforehand.
#
# `--device cpu --trial` tries every part on a machine without a GPU, with tiny sizes.
set -uo pipefail
cd "$(dirname "$0")/.."

device=cuda trial=
while [ $# -gt 0 ]; do
    case "$1" in
        --device) device=${2:?--device needs a name}; shift 2 ;;
        --trial) trial=--trial; shift ;;
        *) echo "usage: scripts/on_gpu.sh [--device cuda|cpu] [--trial]" >&2; exit 2 ;;
    esac
done
if [ "$device" = cuda ] && ! nvidia-smi >/dev/null 2>&1; then
    echo "this machine has no NVIDIA GPU; to try the script out: scripts/on_gpu.sh --device cpu --trial" >&2
    exit 2
fi
out=${OUT:-runs/gpu}
mkdir -p "$out"
out=$(realpath "$out")
# float32 must not become TF32.
export NVIDIA_TF32_OVERRIDE=0
export PYTHONUNBUFFERED=1 IRFUSE_GPU_DEVICE="$device" PYTHONPATH="$PWD/src"

# Whether a Python has what the parts need, and a PyTorch for the device.
has_all() {
    "$1" - "$device" <<'PYTHON' 2>&1
import sys
import pytest, torch
from irfuse import samples
from irfuse.fuser import Fuser
from irfuse.io import images
pair = next(iter(samples.pairs()))
Fuser("average", device=sys.argv[1])(images.read(pair.ir), images.read(pair.vis))
PYTHON
}

set_up() {
    if compgen -G ".whl/*.whl" >/dev/null; then
        python3 -m pip install -q --no-index --no-deps --no-cache-dir --upgrade --target /tmp/irfuse-site .whl/*.whl
        PYTHONPATH="$PYTHONPATH:/tmp/irfuse-site"
    fi
    local candidate missing
    for candidate in ${PYTHON:+"$PYTHON"} .venv/bin/python python3 .venv-gpu/bin/python; do
        command -v "$candidate" >/dev/null || continue
        if missing=$(has_all "$candidate"); then
            python=$candidate
            return 0
        fi
        echo "$candidate cannot be used: $(tail -n 1 <<<"$missing")"
    done
    timeout 240 python3 -m venv .venv-gpu &&
        PIP_CONSTRAINT=constraints.txt timeout 240 .venv-gpu/bin/pip install -q -e '.[dev]' &&
        has_all .venv-gpu/bin/python &&
        python=.venv-gpu/bin/python
}

rows=() failed=0
# part NAME SECONDS FILE COMMAND...: run a command for at most so long; what it prints goes into the file.
part() {
    local name=$1 limit=$2 file=$3 start=$SECONDS status said
    shift 3
    echo "== $name"
    timeout --kill-after=5 "$limit" "$@" 2>&1 | tee -a "$out/$file"
    status=${PIPESTATUS[0]}
    case "$status" in
        0) said=done ;;
        124 | 137) said="ran out of its $limit s"; failed=1 ;;
        *) said="failed ($status)"; failed=1 ;;
    esac
    rows+=("| $name | $said | $((SECONDS - start)) | \`$file\` |")
}

describe() {
    echo "# The machine"
    echo
    date -u +"%Y-%m-%d %H:%M UTC"
    "$python" - "$device" <<'PYTHON'
import platform, sys, torch
from irfuse.device import cores, free_memory, machine, resolve
device = resolve(sys.argv[1])
print(f"{machine(device)}, {(free_memory(device) or 0) / 2**30:.0f} GiB free; {cores()} CPU cores;")
print(f"Python {platform.python_version()}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}, "
      f"cuDNN {torch.backends.cudnn.version()}.")
PYTHON
    nvidia-smi 2>/dev/null || true
}

rm -f "$out"/{summary,machine,methods,compiled,training,folder}.md "$out"/{tests,methods}.log
if ! set_up; then
    echo "no Python here has PyTorch for $device and all that irfuse needs" | tee "$out/summary.md"
    exit 1
fi
echo "using $python"
part "machine" 15 machine.md bash -c "$(declare -f describe); python='$python' device='$device' describe"

# The GPU's packages are not those that the tests pin, so their warnings are no errors here.
mapfile -t files < <(grep -rl "mark\.gpu" tests --include='test_*.py')
if [ -n "$trial" ]; then only=(-k "not nst and not resnet152"); else only=(); fi
part "tests" 90 tests.log "$python" -m pytest -q -p no:cacheprovider -o filterwarnings=default -m "gpu and not slow" \
    --continue-on-collection-errors --durations=10 "${only[@]}" "${files[@]}"

if [ -n "$trial" ]; then
    small=64x64 large=96x64 batch=2 steps=2 pairs=3
else
    small=640x480 large=1280x1024 batch=16 steps=50 pairs=100
fi
methods=("$python" perf/methods.py --device "$device" --turns 1 --output "$out/methods.md" $trial --tile 4096)
part "methods, batch 1" 90 methods.log "${methods[@]}" --engine torch --others --size "$small" --size "$large"
part "methods, batch $batch" 50 methods.log "${methods[@]}" --engine torch --batch "$batch" --size "$small"
part "training" 40 training.md "$python" perf/training.py --device "$device" $trial --steps "$steps"
part "folder" 30 folder.md "$python" perf/folder.py --device "$device" $trial --pairs "$pairs"
part "methods, compiled" 40 compiled.md "$python" perf/methods.py --device "$device" --turns 1 --print $trial \
    --engine compile --method encoder-decoder --size "$small"

{
    echo "| part | outcome | seconds | file |"
    echo "|---|---|---:|---|"
    printf '%s\n' "${rows[@]}"
    echo
    echo "In all $SECONDS s on $device, with $python."
} | tee "$out/summary.md"
exit "$failed"
