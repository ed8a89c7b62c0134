#!/bin/sh
# `muonscope export csv`: every number of a run's files is in the tables to the bit; what is cut or of another version is said, and the
# rest is kept; what it refuses.
. "$(dirname "$0")/support.sh"
python=/usr/bin/python3
record_all="--tracker.every 2 --tracker.every_step sigma_max --train.hash_every 2 --validation.every 2"

must micro --run a $record_all --steps 4
must micro --run b $record_all --steps 2 --seed 7
must program export csv a b/ --out all
grep -q '^all/spectra.csv: [0-9]* rows$' out && [ ! -s err ] || fail "it says: $(cat out err)"
"$python" "$(dirname "$0")/export.py" all a b || fail "the tables are not what the files say"
[ ! -e all/warnings.csv ] || fail "a table without rows"
fingerprint all >tables
must program export csv a b --out all
fingerprint all | cmp - tables || fail "the same runs give other tables"

# One table, one file; chosen layers and projections; the default folder.
must program export csv a --table spectra --out one.csv --layers 1 --projections v,up
cut -d, -f1-6 one.csv | sort -u >places
[ "$(wc -l <one.csv)" -eq 9 ] && [ "$(grep -cE '^a,42,[0124],[0-9]+,1,(v|up)$' places)" -eq 8 ] || fail "other rows: $(cat places)"
must program export csv a --table sigma_max --table heads --layers 0
[ "$(ls a/csv | tr '\n' ' ')" = "heads.csv sigma_max.csv " ] || fail "other files in a/csv: $(ls a/csv)"
[ "$(cut -d, -f5 a/csv/heads.csv a/csv/sigma_max.csv | sort -u | tr '\n' ' ')" = "0 layer " ] || fail "other layers"

# Warnings of run.log, a name that has to be quoted.
cp -r a 'a, "b"'
echo '2026-01-02T03:04:05Z warning the "loss" spikes, twice' >>'a, "b"/run.log'
must program export csv 'a, "b"' --table warnings --out w.csv
printf 'run,seed,time,level,message\n"a, ""b""",42,2026-01-02T03:04:05Z,warning,"the ""loss"" spikes, twice"\n' | cmp - w.csv || fail "$(cat w.csv)"

# Lines that are cut, of another version, without a layer; a value that is no number; a run that goes on.
cp -r a cut
"$python" - <<'EOF'
lines = open("cut/spectra.jsonl").read().split("\n")
lines[2] = lines[2][:70]
lines[3] = lines[3].replace('"layer":0,', '')
lines[4] = lines[4].replace('"gap":', '"lower_gap":').replace('"rows":', '"shape":[8,8],"rows":')
lines[5] = lines[5].replace('"frobenius":', '"frobenius":"much","x":').replace('"sigma_top":[', '"sigma_top":[1,')
open("cut/spectra.jsonl", "w").write("\n".join(lines)[:-40])
EOF
sed -i 's/^  seed:/  sown:/' cut/config.yaml
must program export csv cut --out cut.tables
says() {
    grep -qE "$1" err || fail "no word of /$1/: $(cat err)"
}
says '^export: cut: no seed: .*sown'
says '^export: cut: 1 lines are cut, .*spectra.jsonl line 3\)'
says '^export: cut/spectra.jsonl ends within a line'
says 'lines without a layer or projection .*line of step 0\)'
says 'of another version: 3 keys .*: shape, lower_gap, x$'
says '(sigma_top|frobenius) of step 0\)'
n_lines=$(wc -l <a/spectra.jsonl)
[ "$(wc -l <cut.tables/spectra.csv)" -eq $((n_lines + 1 - 3)) ] || fail "more lines are lost"
"$python" - <<'EOF' || fail "the rest is not kept"
import csv
rows = list(csv.DictReader(open("cut.tables/spectra.csv")))
whole = list(csv.DictReader(open("all/spectra.csv")))
assert rows[0]["seed"] == "" and rows[0]["sigma_max"] == whole[0]["sigma_max"]
assert rows[2]["gap"] == "" and rows[2]["sigma_max"] == whole[4]["sigma_max"]
assert rows[3]["frobenius"] == "" and rows[3]["sigma_1"] == "1" and rows[3]["gap"] == whole[5]["gap"]
EOF

# A run that cannot be used does not keep the others from being exported.
refuse 1 "1 of 2 runs were left out, the first: run folder gone does not exist" program export csv a gone --out some --table losses
[ "$(wc -l <some/losses.csv)" -eq "$(($(wc -l <a/metrics.jsonl) + 1))" ] || fail "the other run is not there"

refuse_it() {
    status=$1 message=$2
    shift 2
    refuse "$status" "$message" "$muonscope" export "$@"
    [ ! -e new ] && [ ! -e new.csv ] || fail "something was written"
}
refuse_it 2 "must be csv" json a
refuse_it 2 "several runs needs --out" csv a b
refuse_it 2 "is named twice" csv a a/ --out new
refuse_it 2 "no table 'spectrum'; did you mean 'spectra'" csv a --table spectrum --out new
refuse_it 2 "new.csv is one file: name its table" csv a --out new.csv
refuse_it 2 "projections: the tables that are asked for have none" csv a --table heads --projections q --out new
refuse_it 1 "no layer 9" csv a --layers 9 --out new
refuse_it 1 "no row for warnings: run.log of a has none" csv a --table warnings --out new
refuse_it 1 "no run to export: data is not a run folder|no run to export: run folder data" csv data --out new
: >file
refuse_it 1 "file" csv a --out file
(ulimit -f 16 && exec "$muonscope" export csv a --table spectra_long --out new.csv) 2>err && fail "a file limit is not seen"
grep -q '^muonscope: cannot write new.csv: File too large' err || fail "it says: $(cat err)"
[ -z "$(find . -name 'new.csv*')" ] || fail "half a table is left: $(find . -name 'new.csv*')"

# The page has every table.
for table in $(ls all | sed 's/\.csv//') warnings; do
    grep -q "^| \`$table\`" "$(dirname "$0")/../../docs/export.md" || fail "docs/export.md has no word of $table"
done
