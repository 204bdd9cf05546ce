#!/usr/bin/env bash
# Train what ships of Res2NetFuse, and the ablation. IRFUSE_DATA names the data; the first argument is the output folder.
set -euo pipefail
mkdir -p "$1"
out="$(realpath "$1")"
cd "$IRFUSE_DATA"
irfuse train res2netfuse --images natural/kodak24/05.png --test coco20 -o "$out/res2netfuse-single-v1.safetensors"
irfuse train res2netfuse --images natural330 --test coco20 -o "$out/res2netfuse-many-v1.safetensors"
irfuse train res2netfuse --images natural/kodak24/05.png --more-sizes 128 --more-sizes 64 --test coco20 \
    -o "$out/res2netfuse-scales.safetensors"
