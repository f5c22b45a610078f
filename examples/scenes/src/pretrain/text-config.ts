import type { CLIPTokenizer } from "@dcr-js/diffusion";

/** Settings of the text towers: CLIP's, and the denoiser's text encoder. */
export function textConfig(tokenizer: CLIPTokenizer) {
  return {
    vocab_size: tokenizer.vocabSize,
    hidden_size: 64,
    intermediate_size: 256,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    max_position_embeddings: tokenizer.modelMaxLength,
    eos_token_id: tokenizer.eosTokenId,
    bos_token_id: tokenizer.eosTokenId - 1,
    pad_token_id: tokenizer.eosTokenId,
  };
}
