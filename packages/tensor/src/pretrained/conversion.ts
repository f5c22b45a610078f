/** A text inside a Python string in single quotes. */
const quoted = (text: string): string => JSON.stringify(text).slice(1, -1).replaceAll("'", "\\'");

/** Rewrites the folder `f` by the library and the class that made it. */
const rewrite =
  "c=json.load(open(f+'/config.json')); " +
  "m=__import__('diffusers' if '_class_name' in c else 'transformers'); " +
  "getattr(m, c.get('_class_name') or c['architectures'][0]).from_pretrained(f).save_pretrained(f)";

/** Weights that a library saves with a config.json, by which it knows their class. */
const ofModels = ["model", "diffusion_pytorch_model"];

/**
 * The line that rewrites a folder's weights as safetensors.
 *
 * @param weights `baseName`: their file without its ending; `file`: the file that is there
 */
export function convertFolder(
  folder: string,
  { baseName, file }: { baseName: string; file: string },
): string {
  const f = `f='${quoted(folder)}'`;
  // Others, such as an adapter, are tensors by name.
  if (!ofModels.includes(baseName) && /\.(bin|pt|pth)$/.test(file)) {
    const tensors = `torch.load(f+'/${quoted(file)}', map_location='cpu', weights_only=True)`;
    const contiguous = `{k: v.contiguous() for k, v in ${tensors}.items()}`;
    const save = `safetensors.torch.save_file(${contiguous}, f+'/${quoted(baseName)}.safetensors', {'format': 'pt'})`;
    return `python -c "import torch, safetensors.torch; ${f}; ${save}"`;
  }
  return `python -c "import json; ${f}; ${rewrite}"`;
}

/**
 * The line that downloads a repository of the hub, all of it, and rewrites a folder's weights as safetensors.
 *
 * @param place `owner/name`, or `owner/name/folder`
 */
export function convertFromHub(place: string): { line: string; folder: string } {
  const [owner = "", name = owner, ...within] = place.split("/");
  const folder = `./${name}`;
  const id = place.split("/").slice(0, 2).join("/");
  const part = within.map((one) => `/${one}`).join("");
  const download = `huggingface_hub.snapshot_download('${quoted(id)}', local_dir='${quoted(folder)}', ignore_patterns=['*.h5', '*.msgpack'])`;
  const f = part === "" ? download : `${download}+'${quoted(part)}'`;
  return { line: `python -c "import json, huggingface_hub; f=${f}; ${rewrite}"`, folder };
}
