#!/usr/bin/env bash
# Walks through the parameter-management chapter of PyTorch's courses with curl, cell by cell. Needs nothing but curl.
#
#   examples/parameter-management.sh [http://127.0.0.1:8080]
#
# Ends with 1 when a request fails or an answer is not as in the chapter. Its models are deleted at the end.
set -euo pipefail

base=${1:-http://127.0.0.1:8080}
models=$base/v1/models
mlp=chapter-mlp-$$
rgnet=chapter-rgnet-$$
tied=chapter-tied-$$
answer=

delete_models() {
  for name in "$mlp" "$rgnet" "$tied"; do
    curl -sS -o /dev/null -X DELETE "$models/$name" || true
  done
}
trap delete_models EXIT

cell() { printf '\n# %s\n' "$1"; }

# request METHOD URL [BODY]: shows both and keeps the answer.
request() {
  printf '→ %s %s %s\n' "$1" "${2#"$base"}" "${3:-}"
  if [ $# -gt 2 ]; then
    answer=$(curl -sS --fail-with-body -X "$1" "$2" -H 'content-type: application/json' -d "$3") || failed
  else
    answer=$(curl -sS --fail-with-body -X "$1" "$2") || failed
  fi
  printf '← %s\n' "$answer"
}

failed() {
  printf '← %s\n✗ the request failed\n' "$answer" >&2
  exit 1
}

# expect TEXT: the answer has it.
expect() {
  if [[ $answer == *"$1"* ]]; then
    printf '  ✓ %s\n' "$1"
  else
    printf '  ✗ the answer should have: %s\n' "$1" >&2
    exit 1
  fi
}

X='[[0.25, 0.5, 0.75, 1], [1, 0.75, 0.5, 0.25]]'

cell 'net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)); net(X)'
request POST "$models" '{"name": "'"$mlp"'", "seed": 0,
  "architecture": "nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))"}'
request POST "$models/$mlp/forward" '{"inputs": '"$X"'}'
expect '-0.26409' # as after torch.manual_seed(0)
expect '-0.26739'

cell 'net[2].state_dict()'
request GET "$models/$mlp/state_dict?module=2"
expect '"weight":'
expect '"bias":'

cell 'net[2].bias, net[2].bias.data'
request GET "$models/$mlp/parameters/2.bias"
expect '"data":[-0.15679917]'

cell 'net[2].weight.grad == None'
request GET "$models/$mlp/parameters/2.weight"
expect '"grad":null'

cell 'net[0].named_parameters(), net.named_parameters()'
request GET "$models/$mlp/parameters?module=0"
expect '"path":"weight"'
request GET "$models/$mlp/parameters"
expect '"path":"0.weight"'
expect '"path":"2.bias"'

cell "net.state_dict()['2.bias'].data"
request GET "$models/$mlp/state_dict"
expect '"2.bias":{"dtype":"float32","shape":[1],"data":[-0.15679917]}'

cell 'rgnet = nn.Sequential(block2(), nn.Linear(4, 1)); rgnet(X)'
request POST "$models" '{"name": "'"$rgnet"'", "seed": 0, "architecture": {
  "blocks": {"block1": {"type": "Sequential", "children": [
    {"type": "Linear", "in_features": 4, "out_features": 8}, {"type": "ReLU"},
    {"type": "Linear", "in_features": 8, "out_features": 4}, {"type": "ReLU"}]}},
  "type": "Sequential", "children": [
    {"type": "Sequential", "children": [
      {"name": "block 0", "block": "block1"}, {"name": "block 1", "block": "block1"},
      {"name": "block 2", "block": "block1"}, {"name": "block 3", "block": "block1"}]},
    {"type": "Linear", "in_features": 4, "out_features": 1}]}}'
request POST "$models/$rgnet/forward" '{"inputs": '"$X"'}'
expect '0.17172'

cell 'print(rgnet)'
request GET "$models/$rgnet/repr"
expect '    (block 3): Sequential('

cell 'rgnet[0][1][0].bias.data'
request GET "$models/$rgnet/parameters/0.block%201.0.bias"
expect '-0.027549803'

cell 'net.apply(init_normal)'
request POST "$models/$mlp/init" '{"rules": [
  {"types": ["Linear"], "parameters": ["weight"], "init": {"name": "normal", "mean": 0, "std": 0.01}},
  {"types": ["Linear"], "parameters": ["bias"], "init": {"name": "zeros"}}]}'
request GET "$models/$mlp/parameters/0.bias"
expect '"data":[0,0,0,0,0,0,0,0]'

cell 'net.apply(init_constant)'
request POST "$models/$mlp/init" '{"rules": [
  {"types": ["Linear"], "parameters": ["weight"], "init": {"name": "constant", "val": 1}},
  {"types": ["Linear"], "parameters": ["bias"], "init": {"name": "zeros"}}]}'
request GET "$models/$mlp/parameters/2.weight"
expect '"data":[1,1,1,1,1,1,1,1]'

cell 'net[0].apply(init_xavier); net[2].apply(init_42)'
request POST "$models/$mlp/init" '{"module": "0", "rules": [
  {"types": ["Linear"], "parameters": ["weight"], "init": {"name": "xavier_uniform"}}]}'
request POST "$models/$mlp/init" '{"module": "2", "rules": [
  {"types": ["Linear"], "parameters": ["weight"], "init": {"name": "constant", "val": 42}}]}'
request GET "$models/$mlp/parameters/0.weight?index=0"
expect '0.1479984' # the generator goes on as PyTorch's does
request GET "$models/$mlp/parameters/2.weight"
expect '"data":[42,42,42,42,42,42,42,42]'

cell 'net.apply(my_init): uniform in [-10, 10), what is under 5 becomes 0'
request POST "$models/$mlp/init" '{"rules": [{"types": ["Linear"], "parameters": ["weight"],
  "init": {"name": "uniform", "a": -10, "b": 10, "then": "w * (abs(w) >= 5)"}}]}'
request GET "$models/$mlp/parameters/0.weight?index=0"
expect '-8.19621'

cell 'net[0].weight.data[:] += 1; net[0].weight.data[0, 0] = 42; net[0].weight.data[0]'
request PATCH "$models/$mlp/parameters/0.weight" '{"ops": [
  {"op": "add", "index": ":", "value": 1}, {"op": "set", "index": "0,0", "value": 42}]}'
request GET "$models/$mlp/parameters/0.weight?index=0"
expect '"data":[42,1,1,-5.51465'

cell 'shared = nn.Linear(8, 8); net = nn.Sequential(..., shared, nn.ReLU(), shared, ...); net(X)'
request POST "$models" '{"name": "'"$tied"'", "seed": 0, "architecture": {
  "shared": {"shared": {"type": "Linear", "in_features": 8, "out_features": 8}},
  "type": "Sequential", "children": [
    {"type": "Linear", "in_features": 4, "out_features": 8}, {"type": "ReLU"},
    {"shared": "shared"}, {"type": "ReLU"},
    {"shared": "shared"}, {"type": "ReLU"},
    {"type": "Linear", "in_features": 8, "out_features": 1}]}}'
request POST "$models/$tied/forward" '{"inputs": '"$X"'}'
expect '0.10595'

# The numbers in the answer.
numbers() { [[ $answer =~ \"data\":(\[[^]]*\]) ]] && printf '%s' "${BASH_REMATCH[1]}"; }

cell 'net[2].weight.data[0] == net[4].weight.data[0]'
request GET "$models/$tied/parameters/2.weight?index=0"
second=$(numbers)
request GET "$models/$tied/parameters/4.weight?index=0"
expect "\"data\":$second"

cell 'net[2].weight.data[0, 0] = 100'
request PATCH "$models/$tied/parameters/2.weight" '{"ops": [{"op": "set", "index": "0,0", "value": 100}]}'
expect '"4.weight"'
request GET "$models/$tied/parameters/4.weight?index=0"
expect '"data":[100,'
fourth=$(numbers)
request GET "$models/$tied/parameters/2.weight?index=0"
expect "\"data\":$fourth"

cell 'what the model has been through'
request GET "$models/$mlp/changes?after=0"
expect '"kind":"patch"'

printf '\nAll as in the chapter.\n'
