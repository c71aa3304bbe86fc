"""What is kept of other tools' files: their settings by name, as their authors wrote them. All that is not here is left out.

A name is that of the file, sections joined by dots. Names of machines, people, folders, addresses and keys are in none of these.
"""

from __future__ import annotations

from collections.abc import Mapping


def _names(sections: Mapping[str, str]) -> frozenset[str]:
    return frozenset(f"{section}{name}" for section, names in sections.items() for name in names.split())


LLAMA_BENCH = frozenset(
    [
        "n_batch",
        "n_ubatch",
        "n_threads",
        "cpu_mask",
        "cpu_strict",
        "poll",
        "type_k",
        "type_v",
        "n_gpu_layers",
        "n_cpu_moe",
        "split_mode",
        "main_gpu",
        "no_kv_offload",
        "flash_attn",
        "devices",
        "tensor_split",
        "tensor_buft_overrides",
        "use_mmap",
        "use_direct_io",
        "use_mlock",
        "embeddings",
        "no_op_offload",
        "no_host",
        "numa",
        "delay",
        "prio",
        "cuda",
        "opencl",
        "vulkan",
        "kompute",
        "metal",
        "sycl",
        "rpc",
        "gpu_blas",
        "blas",
        "hip",
        "f16_kv",
        "mul_mat_q",
        "low_vram",
        "n_gqa",
        "fit_params",
    ]
)
GENAI = _names(
    {
        "config.": """batch_size precision prompt_length tokens_generated max_length seq_length aggregation execution_provider use_graph
            use_cuda_graph chunk_size num_beams do_sample top_k top_p temperature use_random_tokens use_prompt_set""",
        "config.model_info.": "full_name short_name is_huggingface is_text_generation is_classification input_shape",
    }
)
TRTLLM = _names(
    {
        "engine.": """backend dtype kv_cache_dtype quantization max_input_length max_sequence_length max_seq_len max_batch_size
            max_num_tokens speculative_decoding""",
        "world_info.": """tp_size pp_size ep_size cp_size world_size max_batch_size max_num_tokens scheduling_policy
            kv_cache_percentage issue_rate gpus_per_node moe_tp_size moe_ep_size""",
        "request_info.": """num_requests avg_num_concurrent_requests avg_input_length avg_output_length num_generations
            max_input_length max_output_length""",
        "machine.": "name memory.total clocks.mem clocks.sm clocks.gr power.limit",
        **{
            f"dataset.{what}_stats.{part}": "average maximum minimum p50 p90 p95 p99 total"
            for what in ("isl", "osl", "seq_len")
            for part in ("", "percentiles.")
        },
        "dataset.": "num_sequences",
    }
)

_QUANTIZED = """
    bits group_size desc_act sym static_groups true_sequential damp_percent version zero_point quant_method backend format
    load_in_4bit load_in_8bit bnb_4bit_compute_dtype bnb_4bit_quant_type bnb_4bit_use_double_quant bnb_4bit_quant_storage
    llm_int8_threshold llm_int8_skip_modules llm_int8_enable_fp32_cpu_offload llm_int8_has_fp16_weight exllama_config.version
    exllama_config.max_input_len exllama_config.max_batch_size use_exllama use_exllama_v2 disable_exllama use_cuda_fp16
    max_input_length model_seqlen modules_to_not_convert do_fuse fuse_max_seq_len weights activations weights_dtype
    activations_dtype quant_type is_static per_channel reduce_range operators_to_quantize nodes_to_quantize nodes_to_exclude
    batch_size pad_token_id
"""
_SHAPES = """
    batch_size sequence_length num_choices feature_size nb_max_frames audio_sequence_length num_channels height width
    vocab_size type_vocab_size max_position_embeddings text_batch_size image_batch_size
"""
_GENERATE = """
    max_new_tokens min_new_tokens max_length min_length do_sample use_cache num_beams num_return_sequences temperature top_k
    top_p min_p repetition_penalty pad_token_id bos_token_id eos_token_id cache_implementation num_inference_steps guidance_scale
"""
_SCENARIO = {
    "": """name _target_ iterations duration warmup_runs new_tokens memory latency energy max_steps warmup_steps batch_size
        can_diffuse can_generate""",
    "input_shapes.": _SHAPES,
    "dataset_shapes.": f"{_SHAPES} dataset_size",
    "generate_kwargs.": _GENERATE,
    "call_kwargs.": _GENERATE,
    "forward_kwargs.": "use_cache return_dict logits_to_keep num_logits_to_keep",
    "training_arguments.": "per_device_train_batch_size gradient_accumulation_steps fp16 bf16 max_steps do_train optim",
}
_LIBRARIES = (
    "optimum_benchmark", "optimum", "transformers", "accelerate", "diffusers", "torch", "torch_ort", "timm", "peft", "safetensors",
    "tokenizers", "sentence_transformers", "onnx", "onnxruntime", "onnxruntime_gpu", "onnxruntime_training", "openvino", "nncf",
    "neural_compressor", "intel_extension_for_pytorch", "auto_gptq", "autoawq", "gptqmodel", "bitsandbytes", "exllamav2", "vllm",
    "tensorrt_llm", "optimum_intel", "llama_cpp", "llama_cpp_python", "py_txi", "deepspeed", "flash_attn", "torchao", "numpy",
)  # fmt: skip
LIBRARIES = frozenset(_LIBRARIES)
"""Whose versions optimum-benchmark's configuration gives, as `transformers_version`."""
OPTIMUM = _names(
    {
        "": "name experiment_name task library model device model_type torch_dtype",
        "hub_kwargs.": "revision force_download local_files_only trust_remote_code",
        "backend.": """name _target_ version task library model_type device device_ids seed inter_op_num_threads
            intra_op_num_threads no_weights numactl device_map torch_dtype eval_mode to_bettertransformer bettertransformer
            low_cpu_mem_usage attn_implementation cache_implementation allow_tf32 autocast_enabled autocast_dtype torch_compile
            torch_compile_target quantization_scheme deepspeed_inference peft_type peft_strategy tp_plan amp_autocast amp_dtype
            continous_isolation_check continuous_isolation continuous_isolation_check initial_isolation_check isolation_check
            data_parallel delete_cache disable_grad use_ddp use_flash_attention_2 export use_cache use_merged
            provider device_id use_io_binding optimization quantization calibration auto_optimization auto_quantization
            auto_calibration half reshape compile load_format serving_mode use_fast_kernels gpus_per_node max_batch_size
            max_new_tokens max_prompt_length max_output_length world_size tp pp optimization_level use_cuda_graph
            fp8""",
        **{f"backend.{kwargs}.": "revision force_download local_files_only trust_remote_code torch_dtype use_fast attn_implementation"
           for kwargs in ("hub_kwargs", "model_kwargs", "processor_kwargs")},
        "backend.numactl_kwargs.": "cpunodebind membind",
        "backend.torch_compile_config.": "backend mode fullgraph dynamic",
        "backend.quantization_config.": _QUANTIZED,
        "backend.calibration_config.": "method num_samples batch_size moving_average averaging_constant num_bins percentiles",
        "backend.optimization_config.": "optimization_level optimize_for_gpu fp16 disable_gelu_fusion enable_transformers_specific_optimizations",
        "backend.session_options.": """graph_optimization_level intra_op_num_threads inter_op_num_threads execution_mode
            enable_cpu_mem_arena enable_mem_pattern enable_mem_reuse""",
        "backend.provider_options.": "device_id trt_engine_cache_enable trt_fp16_enable trt_int8_enable enable_cuda_graph",
        "backend.peft_config.": "peft_type task_type r lora_alpha lora_dropout bias target_modules inference_mode",
        "backend.deepspeed_inference_config.": "dtype tensor_parallel.tp_size replace_with_kernel_inject enable_cuda_graph",
        "backend.engine_args.": """dtype tensor_parallel_size pipeline_parallel_size max_model_len gpu_memory_utilization
            enforce_eager enable_chunked_prefill quantization kv_cache_dtype max_num_seqs max_num_batched_tokens block_size
            swap_space seed load_format trust_remote_code device""",
        **{f"{part}.{below}": names for part in ("scenario", "benchmark") for below, names in _SCENARIO.items()},
        "launcher.": "name _target_ start_method device_isolation device_isolation_action numactl nproc_per_node",
        "launcher.numactl_kwargs.": "cpunodebind membind",
        "environment.": "system machine platform processor gpu_vram_mb cpu_ram_mb cpu_count python_version",
    }
)  # fmt: skip

LM_EVAL_MODEL = frozenset(
    [
        "pretrained",
        "backend",
        "revision",
        "subfolder",
        "tokenizer",
        "truncation",
        "logits_cache",
        "max_length",
        "device",
        "dtype",
        "softmax_dtype",
        "mixed_precision_dtype",
        "batch_size",
        "max_batch_size",
        "trust_remote_code",
        "use_fast_tokenizer",
        "add_bos_token",
        "prefix_token_id",
        "parallelize",
        "max_memory_per_gpu",
        "max_cpu_memory",
        "peft",
        "delta",
        "autogptq",
        "gptqmodel",
        "gguf_file",
        "load_in_8bit",
        "load_in_4bit",
        "bnb_4bit_quant_type",
        "bnb_4bit_compute_dtype",
        "bnb_4bit_use_double_quant",
        "attn_implementation",
        "device_map",
        "low_cpu_mem_usage",
        "enable_thinking",
        "think_end_token",
        "tensor_parallel_size",
        "data_parallel_size",
        "pipeline_parallel_size",
        "gpu_memory_utilization",
        "max_model_len",
        "quantization",
        "enforce_eager",
        "swap_space",
        "tokenizer_mode",
        "seed",
        "max_gen_toks",
        "max_lora_rank",
        "kv_cache_dtype",
        "model",
        "engine",
        "tokenizer_backend",
        "num_concurrent",
        "max_retries",
        "tokenized_requests",
        "provider",
        "precision",
    ]
)
LM_EVAL_GENERATION = frozenset(
    [
        "do_sample",
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "max_gen_toks",
        "max_new_tokens",
        "max_length",
        "num_beams",
        "repetition_penalty",
        "until",
        "stop",
        "seed",
    ]
)


def is_plain(value: object) -> bool:
    """Tell a setting's value from a structure of its own, whose names nobody knows: a scalar, or lists of scalars."""
    if isinstance(value, list | tuple):
        return all(is_plain(one) for one in value)
    return not isinstance(value, Mapping)


def arguments(said: object, kept: frozenset[str]) -> tuple[object, tuple[str, ...]]:
    """Keep the arguments of these names, of a mapping or of a text `name=value,name=value`; and name the others."""
    if isinstance(said, Mapping):
        here = {name: value for name, value in said.items() if name in kept and is_plain(value)}
        return here, tuple(name for name in said if name not in here)
    if not isinstance(said, str):
        return None, ()
    pairs = [(part.partition("=")[0].strip(), part) for part in said.split(",") if part.strip()]
    inside = [part for name, part in pairs if name in kept and "=" in part]
    return ",".join(inside), tuple(name if "=" in part else "" for name, part in pairs if part not in inside)
