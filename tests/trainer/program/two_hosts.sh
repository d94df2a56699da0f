#!/bin/bash
# Trains on two hosts that are network namespaces with a virtual cable between them, under mpirun over
# TCP, and compares the run with that of one rank: losses and weights must be equal bit for bit.
#   two_hosts.sh EFLOW CONFIG
# Exit code 77: not permitted here (needs root and ip), or no mpirun.
set -eu
eflow=$(realpath "$1")
config=$(realpath "$2")
skip() { echo "skipped: $1"; exit 77; }
command -v mpirun >/dev/null || skip "no mpirun"
command -v ip >/dev/null || skip "no ip (Debian: iproute2)"

id=eflow$$
work=$(mktemp -d)
hosts="$id-a $id-b"
cleanup() {
  for host in $hosts; do ip netns del "$host" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
for host in $hosts; do
  ip netns add "$host" 2>/dev/null || skip "network namespaces are not permitted"
done
ip link add "${id}0" netns "$id-a" type veth peer name "${id}1" netns "$id-b" 2>/dev/null ||
  skip "virtual network cables are not permitted"
n=0
for host in $hosts; do
  ip -n "$host" addr add "10.77.0.$((n + 1))/24" dev "$id$n"
  ip -n "$host" link set "$id$n" up
  ip -n "$host" link set lo up
  n=$((n + 1))
done

# mpirun starts its daemon on the other host through this program, as it would through ssh.
cat >"$work/agent" <<EOF
#!/bin/bash
shift
exec ip netns exec $id-b unshare --uts sh -c 'hostname host-b; exec sh -c "\$*"' sh "\$@"
EOF
chmod +x "$work/agent"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1
on_hosts() {
  ip netns exec "$id-a" unshare --uts sh -c 'hostname host-a; exec "$@"' sh timeout 300 mpirun \
    --host 10.77.0.1:2,10.77.0.2:2 -n 4 --bind-to none --mca btl tcp,self \
    --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 \
    --mca plm_rsh_agent "$work/agent" --mca orte_tmpdir_base "$work" "$@"
}

"$eflow" data synth --size 16 --frames 4 --split held-out --out "$work/set" >/dev/null
words="train --config $config --data $work/set --train.batch=16 --train.shards=4
  --train.iterations=6 --checkpoint.every=6 --sample.every=0 --train.deadline=60"
# shellcheck disable=SC2086
"$eflow" $words --out "$work/one" >/dev/null
# shellcheck disable=SC2086
on_hosts "$eflow" $words --out "$work/two" >"$work/log" 2>&1 || {
  grep -q "built without MPI" "$work/log" && skip "built without MPI"
  cat "$work/log"
  exit 1
}

grep -h "10.77.0.2\|host-b" "$work"/two/log.rank-[23].txt >/dev/null ||
  { echo "ranks 2 and 3 did not run on the other host"; cat "$work"/two/log.rank-*.txt; exit 1; }
losses() { sed 's/"samples_per_s".*"tokens"/"tokens"/; s/"mfu":[^,]*,//' "$1/metrics.jsonl"; }
[ "$(losses "$work/one")" = "$(losses "$work/two")" ] || { echo "the losses differ"; exit 1; }
hashes() { grep -h '"content"' "$1"/checkpoints/*6/manifest.json; }  # of every array, however divided
[ "$(hashes "$work/one" | wc -l)" -gt 50 ] || { echo "no arrays in the checkpoint"; exit 1; }
[ "$(hashes "$work/one")" = "$(hashes "$work/two")" ] ||
  { echo "the weights differ"; exit 1; }
echo "two hosts, four ranks: losses and weights of one rank, bit for bit"
