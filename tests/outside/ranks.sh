#!/usr/bin/env bash
# Ranks on two hosts that a network connects: two network namespaces with a pair of virtual interfaces; and 8 ranks on this host.
#     tests/outside/ranks.sh STRAIT
set -euo pipefail
strait=$(realpath "$1")
folder=$(mktemp -d)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
clean() {
    ip netns pids strait-a 2>/dev/null | xargs -r kill 2>/dev/null || true
    ip netns delete strait-a 2>/dev/null || true
    ip netns delete strait-b 2>/dev/null || true
    rm -rf "$folder"
}
trap clean EXIT
awk 'BEGIN { srand(7); for (r = 0; r < 2000; r++) { line = ""; for (c = 0; c < 20; c++) line = line (c ? "," : "") (0.5 + 0.5 * sin(r * (c % 5 + 1) * 0.37 + c)); print line } }' > "$folder/rows.csv"
train() {
    local out=$1 kind=$2
    shift 2
    "$@" "$strait" train --kind "$kind" --hidden 24 --data "$folder/rows.csv" --epochs 3 --batch 100 --shards 8 --device cpu:1 --precision f32 --out "$folder/$out" "${mpi[@]}" > "$folder/log" 2>&1 || { cat "$folder/log"; exit 1; }
}
same() {
    cmp "$folder/$1/model.safetensors" "$folder/$2/model.safetensors"
    echo "$2: the same file as one process"
}
for kind in rbm autoencoder dictionary; do
    mpi=()
    train "one-$kind" "$kind"
    mpi=(--mpi)
    for ranks in 1 2 4 8; do
        train "$ranks-$kind" "$kind" mpirun --oversubscribe --bind-to none -np "$ranks"
        same "one-$kind" "$ranks-$kind"
        train "$ranks-tcp-$kind" "$kind" mpirun --oversubscribe --bind-to none --mca btl self,tcp -np "$ranks"
        same "one-$kind" "$ranks-tcp-$kind"
    done
done
if ! { ip netns add strait-a && ip netns add strait-b; } 2>/dev/null; then
    echo "NOT TESTED: network namespaces are not allowed here, so that nothing went through a network" >&2
    exit 0
fi
ip link add strait-a type veth peer name strait-b
ip link set strait-a netns strait-a
ip link set strait-b netns strait-b
for end in a b; do
    number=$([ $end = a ] && echo 1 || echo 2)
    ip netns exec strait-$end ip address add 10.77.0.$number/24 dev strait-$end
    ip netns exec strait-$end ip link set strait-$end up
    ip netns exec strait-$end ip link set lo up
done
# What mpirun starts on the other host in the place of ssh.
cat > "$folder/agent" <<'AGENT'
#!/usr/bin/env bash
shift
exec ip netns exec strait-b bash -c "$*"
AGENT
chmod +x "$folder/agent"
for kind in rbm autoencoder dictionary; do
    train "hosts-$kind" "$kind" ip netns exec strait-a mpirun --oversubscribe --bind-to none --host 10.77.0.1:1,10.77.0.2:1 \
        --mca plm_rsh_agent "$folder/agent" --mca oob_tcp_if_include strait-a,strait-b --mca btl_tcp_if_include 10.77.0.0/24 --mca btl self,tcp -np 2
    same "one-$kind" "hosts-$kind"
done
ip netns exec strait-b cat /proc/net/dev | awk '/strait-b/ { printf "%.1f MB went through the network\n", $2 / 1e6 }'
