#!/usr/bin/env bash
# Real disks that are full, limited, taken away or held by another run: training goes on, says so, and exits with 1; a run on a disk that is
# well goes on from what is left. disks.sh HINTON2006 (needs root for the full disk).
set -uo pipefail
example=$(realpath "$1")
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
failed=0
cleanup() {
    mountpoint -q "$folder/full" && umount "$folder/full"
    rm -rf "$folder"
}
trap cleanup EXIT

cat >"$folder/small.toml" <<'TOML'
hidden = [64, 32, 12]
pretrain = { epochs = 2 }
finetune = { epochs = 4, optimizer = { adam = { rate = 0.003, beta1 = 0.9, beta2 = 0.99 } } }
logistic-pca = { epochs = 1 }
TOML
job() { "$example" --device cpu --limit 2000 --recipe "$folder/small.toml" --checkpoint-epochs 1 "$@" 2>&1; }
expect() { # NAME CODE TEXT: the last job's exit code and what it said
    if [ "$code" != "$2" ] || ! grep -q -- "$3" <<<"$said" || grep -q panicked <<<"$said"; then
        echo "$1: exit $code instead of $2, or it did not say '$3':"
        tail -5 <<<"$said"
        failed=1
    else
        echo "$1: ok"
    fi
}

job --out "$folder/whole" >/dev/null
mkdir "$folder/full"
if mount -t tmpfs -o size=1m none "$folder/full" 2>/dev/null; then
    said=$(job --out "$folder/full")
    code=$?
    expect "a disk of 1 MiB" 1 "the checkpoint could not be written"
    mkdir "$folder/moved" && cp -r "$folder/full/." "$folder/moved"
    said=$(job --out "$folder/moved" --resume)
    code=$?
    expect "on from there on another disk" 0 "goes on from\|starts at the beginning"
    cmp -s "$folder/moved/model.safetensors" "$folder/whole/model.safetensors" || { echo "the model is another one"; failed=1; }
else
    echo "a disk of 1 MiB: not tried, tmpfs cannot be mounted"
fi

said=$(bash -c "trap '' XFSZ; ulimit -f 800; exec \"\$@\"" - "$example" --device cpu --limit 2000 --recipe "$folder/small.toml" \
    --checkpoint-epochs 1 --out "$folder/limited" 2>&1)
code=$?
expect "a limit of 800 KiB to files" 1 "the checkpoint could not be written"

(
    while [ ! -e "$folder/gone/checkpoints/pretraining.safetensors" ]; do sleep 0.05; done
    mv "$folder/gone/checkpoints" "$folder/gone/away"
) &
said=$(job --out "$folder/gone" --epochs 30)
code=$?
wait
expect "a folder that is taken away" 1 "the checkpoint could not be written"

job --out "$folder/two" --epochs 100000 >/dev/null &
first=$!
while [ ! -e "$folder/two/checkpoints/pretraining.safetensors" ]; do sleep 0.05; done
said=$(job --out "$folder/two")
code=$?
expect "two runs in a folder" 1 "another run keeps its checkpoints there"
pkill -9 -P $first 2>/dev/null
kill -9 $first 2>/dev/null
wait $first 2>/dev/null
pkill -9 -f "$folder/two" 2>/dev/null
sleep 0.2
said=$(job --out "$folder/two" --resume --epochs 4 --allow-changes)
code=$?
expect "the lock of a killed run" 0 "goes on from"
exit $failed
