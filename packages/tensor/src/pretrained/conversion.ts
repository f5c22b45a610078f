/** A text inside a Python string in single quotes. */
const quoted = (text: string): string => JSON.stringify(text).slice(1, -1).replaceAll("'", "\\'");

/** Rewrites the folder `f` by the library and the class that made it. */
const rewrite =
  "c=json.load(open(f+'/config.json')); " +
  "m=__import__('diffusers' if '_class_name' in c else 'transformers'); " +
  "getattr(m, c.get('_class_name') or c['architectures'][0]).from_pretrained(f).save_pretrained(f)";

/** The line that rewrites a folder's weights as safetensors. */
export const convertFolder = (folder: string): string =>
  `python -c "import json; f='${quoted(folder)}'; ${rewrite}"`;

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
