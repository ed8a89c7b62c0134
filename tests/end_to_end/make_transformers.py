"""Writes small random models of the families that `muonscope train --init_from` takes, by Hugging Face's transformers: FAMILY.from each.
Usage: make_transformers.py"""

import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

SIZES = dict(vocab_size=600, hidden_size=96, intermediate_size=160, num_hidden_layers=3, num_attention_heads=6, max_position_embeddings=512,
             initializer_range=0.1)
MODELS = {
    "llama2": (LlamaForCausalLM, LlamaConfig(**SIZES, num_key_value_heads=6, rms_norm_eps=1e-5), torch.float32),
    "llama3": (LlamaForCausalLM, LlamaConfig(**SIZES, num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=500000.0), torch.bfloat16),
    "llama31": (LlamaForCausalLM, LlamaConfig(**SIZES, num_key_value_heads=2, rope_parameters={
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}), torch.float32),
    "smollm2": (LlamaForCausalLM, LlamaConfig(**SIZES, num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=100000.0,
                                              tie_word_embeddings=True), torch.bfloat16),
    "mistral": (MistralForCausalLM, MistralConfig(**SIZES, num_key_value_heads=2, head_dim=32, sliding_window=400), torch.float16),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SIZES, num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=1000000.0, tie_word_embeddings=True),
              torch.bfloat16),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SIZES, num_key_value_heads=3, head_dim=32, rms_norm_eps=1e-6, rope_theta=1000000.0), torch.float32),
}

for seed, (name, (make, config, dtype)) in enumerate(MODELS.items()):
    torch.manual_seed(seed)
    model = make(config)
    for parameter_name, parameter in model.named_parameters():  # gains are 1 at first, biases 0
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 0 if parameter_name.endswith("bias") else 1, 0.2)
    model.to(dtype).save_pretrained(f"{name}.from", max_shard_size="300KB" if name == "llama3" else "5GB")
