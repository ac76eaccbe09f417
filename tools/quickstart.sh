#!/usr/bin/env bash
# Both stages of STARS on generated skeleton actions, on the CPU, and a report.
set -euo pipefail

usage() {
    cat <<'END'
Trains both stages of STARS on generated skeleton actions and draws a report.

  bash tools/quickstart.sh [--short] [--seed N]

Uses the active virtual environment, or makes one in .venv. What is finished
is not done again: an interrupted run goes on where it stopped. To start over,
delete the run's folder under work_dirs/.

  --short   few clips and epochs, to check the chain from end to end: its
            numbers mean nothing. Afresh, in work_dirs/stars_demo_short/.
  --seed N  another seed of the training, in work_dirs/stars_demo_seedN/
  --help    this text

Leaves work_dirs/stars_demo/report/: results.json, results.md, report.html,
curves.png, tsne.png, masked.gif.
END
}

short=false
seed=0
while [ $# -gt 0 ]; do
    case "$1" in
        --short) short=true ;;
        --seed)
            seed="${2:-}"
            if ! [[ "$seed" =~ ^[0-9]+$ ]]; then
                echo "--seed needs a whole number, got '$seed'" >&2
                exit 2
            fi
            shift ;;
        --help | -h) usage; exit 0 ;;
        *) echo "unknown option '$1'" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

config=configs/stars_demo.py
data=data/skeleton/demo.pkl
work_dir=work_dirs/stars_demo
demo_options=()
options=()
if "$short"; then
    data=data/skeleton/demo_short.pkl
    work_dir=work_dirs/stars_demo_short
    demo_options=(--clips-per-class 6 --subjects 6)
    for loader in train_dataloader val_dataloader test_dataloader \
        val_cfg.bank_dataloader test_cfg.bank_dataloader; do
        options+=("$loader.dataset.ann_file=$data")
    done
    options+=(train_cfg.max_epochs=2 train_cfg.val_interval=1)
    # The same for stage 1, whose config is a file of its own.
    options=(--cfg-options "${options[@]}" "${options[@]/#/stages.0.options.}"
        "custom_hooks.0.dataloader.dataset.ann_file=$data")
elif [ "$seed" -ne 0 ]; then
    work_dir="${work_dir}_seed$seed"
fi

step() {
    printf '\n[%s] %d:%02d  %s\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)) "$2"
}

# What a user follows: stages, epochs, scores and warnings. (awk would hold
# its input back.)
progress() {
    local line
    while IFS= read -r line; do
        case "$line" in
            *'will be deprecated'*) ;;
            *'INFO - Stage '* | *'Checkpoints will be saved'* | \
                *'Epoch(train)'* | *'Epoch(val)'*)
                sed -E -e 's/^.* INFO - //' \
                    -e 's/ +(data_time|time|memory|knn_weighted[^:]*): [^ ]+//g' \
                    <<<"$line" ;;
            *' - WARNING - '* | *' - ERROR - '*) echo "$line" ;;
        esac
    done
}

# run LOG COMMAND...: all output goes to LOG, the progress to the screen.
run() {
    local log="$1"
    shift
    if ! "$@" 2>&1 | tee "$log" | progress; then
        tail -n 30 "$log" >&2
        echo "failed: $*" >&2
        echo "Its whole output: $log" >&2
        exit 1
    fi
}

SECONDS=0
step 1/5 "Python environment"
source "$(dirname "${BASH_SOURCE[0]}")/_env.sh"
stars_env
cd "$ROOT"
python --version
if "$short"; then
    rm -rf "$work_dir" "$data"
fi
mkdir -p "$work_dir"

step 2/5 "Demo data: $data"
if [ -f "$data" ]; then
    echo "already there"
else
    python tools/data/make_demo.py "$data" --seed 0 \
        ${demo_options[@]+"${demo_options[@]}"}
fi

step 3/5 "Training: MAMP, then STARS, in $work_dir"
run "$work_dir/train.log" python tools/train.py "$config" --seed "$seed" \
    --work-dir "$work_dir" --resume ${options[@]+"${options[@]}"}

step 4/5 "Report: random encoder, MAMP, STARS"
run "$work_dir/report.log" python tools/analysis/make_report.py "$config" \
    --work-dir "$work_dir" --seed "$seed"

step 5/5 "Results"
python - "$work_dir/report" <<'END'
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
results = json.loads((folder / 'results.json').read_text())
for row in ('random', 'mamp', 'stars'):
    assert 0 <= results[row]['knn_top1'] <= 100, (row, results[row])
    assert -1 <= results[row]['silhouette'] <= 1, (row, results[row])
for name in ('curves.png', 'tsne.png', 'masked.gif', 'report.html'):
    assert (folder / name).stat().st_size > 0, f'{folder / name} is empty'
lines = (folder / 'results.md').read_text().splitlines()
print('\n'.join(line for line in lines if line.startswith('|')))
END
printf '\nReport: %s/report.html, made in %d:%02d\n' "$work_dir/report" \
    $((SECONDS / 60)) $((SECONDS % 60))
