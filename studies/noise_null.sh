#!/bin/sh
# How much of the growth of sigma_max would gradients of pure noise make?  Trains the preset `tiny` with its own gradients and with
# gradients that are N(0, 1), three seeds each, and prints sigma_max by projection over what the noise null says.
# Usage: studies/noise_null.sh [DATA [RUNS]]      see common.sh
set -eu
cd "$(dirname "$0")/.."
. studies/common.sh

train merged --muon.split merged
# From weights of almost nothing, as the null has it.
train noise --train.control noise --init.std 1e-6
for key in sigma_max noise_null; do
    table --key $key --from "$steps" merged noise
done
table --key sigma_max --over noise_null --from "$steps" merged noise
