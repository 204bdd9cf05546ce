#!/bin/bash
# Train the weights of ember that ship, in the folder given: train_ember.sh base|nano FOLDER
#
# Each of the trainings starts from the weights of the one before, and can be interrupted and run again. The first one
# sees much damage, and the others little. All of them take two to three hours on one CPU core.
set -eu
size=$1 folder=$2

stage() { # NAME OPTION...: train, or go on, unless it is done
    local name=$1 resume=
    shift
    if [ -f "$name.safetensors" ]; then return; fi
    if [ -f "$name.checkpoint" ]; then resume=--resume; fi
    irfuse train ember --pairs pairs-train --validation pairs-val --precision bf16 --size-of-network "$size" \
        -o "$name.safetensors" "$@" $resume
}

mkdir -p "$folder"
cd "$folder"
much_damage="--tone 0.35 --noisy 0.2 --striped 0.15 --veiled 0.12 --shifted 0.15 --outside 0.08"
little_damage="--tone 0.15 --noisy 0.05 --striped 0.04 --veiled 0.06 --shifted 0.02 --outside 0.04"
large_crops="--epochs 4 --large-epochs 4 --learning-rate 0.001"
if [ "$size" = base ]; then
    stage ember-base-v1-1 --vif-weight 1.5 --qabf-weight 2 --scd-weight 2 --mi-weight 0.3 $much_damage
    stage ember-base-v1-2 --init ember-base-v1-1.safetensors --vif-weight 2.5 --qabf-weight 3 --scd-weight 3 \
        --mi-weight 0.12 --tone 0.25 --noisy 0.1 --striped 0.08 --veiled 0.08 --shifted 0.06 --outside 0.05 \
        --epochs 3 --large-epochs 3 --learning-rate 0.001 --seed 7
    stage ember-base-v1 --init ember-base-v1-2.safetensors $little_damage $large_crops --seed 11
else
    stage ember-nano-v1-1 --vif-weight 1.5 --qabf-weight 2 --scd-weight 2 --mi-weight 0.3 $much_damage
    stage ember-nano-v1 --init ember-nano-v1-1.safetensors $little_damage $large_crops --seed 11
fi
