"""How the benchmarks' published scripts read answers, for packages/eval.

Run from the repository's root with a folder that holds clones of haotian-liu/LLaVA, cambrian-mllm/cambrian, Baiqi-Li/NaturalBench and
RUCAIBox/POPE, in folders named for the repository: python3 tools/reference/vlm_answers.py CLONES
"""

import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile

CLONES = pathlib.Path(sys.argv[1])
ANSWERS = [
    *["A", "B", "b", "(B)", "(b).", "B.", "B. A dog", "(B) A dog", "C", "E", "F. six", " B ", "A\n", "A\nsince it is left", ""],
    *["The answer is B.", "The answer is (b), since", "The answer is B because of the tail", "the answer is b", "Answer: B"],
    *["answer:\n(A)", "The answer is: C", "The answer is a dog", "The answer is E", "I think (B) fits", "Either A or B"],
    *["a dog", "A dog", "A cat", "the dog.", "Dog on the left.", "(dog on the left)", "Yes", "yes.", "No", "no", "No.", "NO"],
    *["No, there is none.", "There is no dog in the image.", "There is not a dog", "Yes. There is no cat, though.", "Yes,no"],
    *["Yes\nNo", "not\nsure", "I know it is there", "nothing", "yes, not no", "no yes", "Yes and no", "nein", "Café", "é no", "éno"],
    *["it's no.", "A/B", "A_B", "B-A", "\ta", "The answer is A. The answer is B.", "The answer is  B", "AB", "...", "(", "B)", "B:", "B,"],
]
OPTIONS = ["Dog on the left", "A cat"]


def module(path):
    scope = {"__name__": "published"}
    exec(compile((CLONES / path).read_text(), path, "exec"), scope)
    return scope


def natural_bench(kind):
    source = (CLONES / "NaturalBench/naturalbench_vqa.py").read_text()
    scope = {}
    # Below the functions it downloads the data.
    exec(source[source.index("def extract_answer") : source.index("def get_scores")], {"re": __import__("re")}, scope)
    with contextlib.redirect_stdout(io.StringIO()):
        return [scope["extract_answer"](answer, kind) for answer in ANSWERS]


def pope():
    with tempfile.TemporaryDirectory() as folder:
        files = {name: f"{folder}/{name}" for name in ("ans_file", "label_file")}
        pathlib.Path(files["ans_file"]).write_text("".join(json.dumps({"answer": text}) + "\n" for text in ANSWERS))
        pathlib.Path(files["label_file"]).write_text('{"label": "yes"}\n' * len(ANSWERS))
        source = (CLONES / "POPE/evaluate.py").read_text()
        for name, path in files.items():
            source = source.replace(f"{name} = ''", f"{name} = {path!r}")
        scope = {}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(source, scope)
        figures = {name: scope[name] for name in ("acc", "precision", "recall", "f1", "yes_ratio")}
        return [answer["answer"] for answer in scope["answers"]], figures


def science_qa(choices):
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        names = [str(i) for i in range(len(ANSWERS))]
        (base / "pid_splits.json").write_text(json.dumps({"test": names}))
        (base / "problems.json").write_text(json.dumps({name: {"choices": ["x"] * choices, "answer": 0} for name in names}))
        rows = [{"question_id": name, "text": text, "prompt": "<image>"} for name, text in zip(names, ANSWERS)]
        (base / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        options = {"base-dir": base, "result-file": base / "answers.jsonl", "output-file": base / "o", "output-result": base / "r"}
        arguments = [str(one) for name, value in options.items() for one in (f"--{name}", value)]
        script = CLONES / "LLaVA/llava/eval/eval_science_qa.py"
        subprocess.run([sys.executable, str(script), *arguments], check=True, stdout=subprocess.DEVNULL)
        results = json.loads((base / "r").read_text())["results"]
        return [results[name] for name in names]


mmvp = module("cambrian/eval/eval/mmvp/mmvp_test.py")["extract_mcq_answer"]
full = [option.lower() for option in OPTIONS]
pope_answers, pope_figures = pope()
golden = {
    "answers": ANSWERS,
    "options": OPTIONS,
    # Which letters the script takes for right, as its compute_metrics compares them.
    "mmvp": [[letter for i, letter in enumerate("ab") if mmvp(text) in (letter, full[i])] for text in ANSWERS],
    "cvBench2D": [module("cambrian/eval/eval/coco/coco_test.py")["extract_mcq_answer"](text) for text in ANSWERS],
    "cvBench3D": [module("cambrian/eval/eval/omni/omni_test.py")["extract_mcq_answer"](text) for text in ANSWERS],
    "naturalBench": {kind: natural_bench(kind) for kind in ("yes_no", "multiple_choice")},
    "pope": pope_answers,
    "popeFigures": pope_figures,
    "scienceQA": {str(choices): science_qa(choices) for choices in (2, 4)},
}
pathlib.Path("packages/eval/fixtures/vlm-answers.json").write_text(json.dumps(golden))
