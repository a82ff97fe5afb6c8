"""State dicts of other implementations, renamed to the names of the reference one."""

import re

import numpy as np

from handnet.networks.weights.pth import State

# In every published file, and in no backbone: heads, counters, and what follows from the architecture.
_UNUSED = re.compile(
    r"(^|\.)(mask_token|num_batches_tracked|bias_mask)$|^(rope_embed|head|fc|logits|pre_logits|classifier|_fc|pooler|local_cls_norm)\."
)
_WRAPPERS = ("module.", "backbone.", "_orig_mod.")


def drop_unused(state: State) -> State:
    """Return a state dict without the prefixes of wrappers, heads, counters and what follows from the architecture.

    Args:
        state: arrays in PyTorch's layout, under the reference's names. Names that no backbone has stay as they are: the
            layout refuses them by name. So do the other functions here.
    """
    state = _strip(state, _WRAPPERS)
    return {name: array for name, array in state.items() if not _UNUSED.search(name)}


def rename_transformer(state: State) -> State:
    """Rename a vision transformer's state dict, of Meta, timm or transformers, to Meta's names."""
    state = _strip(state, (*_WRAPPERS, "dinov2_with_registers.", "dinov2."))
    if any(name.startswith("embeddings.") for name in state):
        state = _from_transformers_vit(state)
    else:
        state = _join_gates({_from_variants(name): array for name, array in state.items()})
    return drop_unused(state)


def rename_resnet(state: State) -> State:
    """Rename a ResNet's state dict, of torchvision, timm or transformers, to torchvision's names."""
    state = _strip(state, (*_WRAPPERS, "resnet."))
    return drop_unused({_from_transformers_resnet(name): array for name, array in state.items()})


def rename_vgg(state: State) -> State:
    """Rename VGG16's state dict, of torchvision or keras.applications, to the names of keras.applications."""
    return drop_unused({_from_torchvision_vgg(name): array for name, array in _strip(state, _WRAPPERS).items()})


def _strip(state: State, wrappers: tuple[str, ...]) -> State:
    for prefix in wrappers:
        if any(name.startswith(prefix) for name in state):
            # What is saved along with the wrapped network (a classifier, a distillation head) is not the backbone's.
            state = {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
    return state


def _from_variants(name: str) -> str:
    # timm: register and scale names. Meta: training checkpoints group blocks in chunks; DINOv3 says storage tokens.
    name = name.replace("reg_token", "register_tokens").replace("storage_tokens", "register_tokens")
    name = re.sub(r"^(blocks\.\d+)\.gamma_([12])$", r"\1.ls\2.gamma", name)
    name = re.sub(r"^blocks\.\d+\.(\d+\.)", r"blocks.\1", name)
    return name.replace(".mlp.w12.", ".mlp.fc1.").replace(".mlp.w3.", ".mlp.fc2.")


def _join_gates(state: State) -> State:
    # Meta's DINOv3 keeps the two halves of the gated part apart: w1 is the gate.
    joined = dict(state)
    for name in state:
        other = name.replace(".mlp.w1.", ".mlp.w2.")
        if ".mlp.w1." in name and other in state:
            joined[name.replace(".mlp.w1.", ".mlp.fc1.")] = np.concatenate([joined.pop(name), joined.pop(other)])
    return joined


_TRANSFORMERS_VIT = (
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.mask_token$", "mask_token"),
    (r"^embeddings\.register_tokens$", "register_tokens"),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.patch_embeddings\.(projection\.)?", "patch_embed.proj."),
    (r"^(model\.)?(encoder\.)?layer\.(\d+)\.", r"blocks.\3."),
    (r"\.layer_scale([12])\.lambda1$", r".ls\1.gamma"),
    (r"\.attention\.(attention\.)?(query|q_proj)\.", ".attn.q."),
    (r"\.attention\.(attention\.)?(key|k_proj)\.", ".attn.k."),
    (r"\.attention\.(attention\.)?(value|v_proj)\.", ".attn.v."),
    (r"\.attention\.(output\.dense|o_proj)\.", ".attn.proj."),
    (r"\.mlp\.(weights_out|down_proj)\.", ".mlp.fc2."),
    (r"\.mlp\.weights_in\.", ".mlp.fc1."),
    (r"^(layernorm|norm)\.", "norm."),
)


def _from_transformers_vit(state: State) -> State:
    renamed: State = {}
    for name, array in state.items():
        for pattern, replacement in _TRANSFORMERS_VIT:
            name = re.sub(pattern, replacement, name)
        renamed[name] = array
    fused = dict(renamed)
    for name, array in renamed.items():
        if ".attn.q." in name:
            # DINOv3's keys have no bias.
            parts = [fused.pop(name.replace(".attn.q.", f".attn.{part}."), np.zeros_like(array)) for part in "qkv"]
            fused[name.replace(".attn.q.", ".attn.qkv.")] = np.concatenate(parts)
        elif ".mlp.up_proj." in name:
            gate = fused.pop(name.replace("up_proj", "gate_proj"), array[:0])
            fused[name.replace("up_proj", "fc1")] = np.concatenate([gate, fused.pop(name)])
    if fused.get("register_tokens", np.empty(1)).size == 0:
        del fused["register_tokens"]
    return fused


# torchvision numbers convolutions, activations and poolings together: what VGG16's convolutions come to.
_VGG16 = {
    number: f"block{block}_conv{index}"
    for block, numbers in enumerate(((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)), start=1)
    for index, number in enumerate(numbers, start=1)
}


def _from_torchvision_vgg(name: str) -> str:
    match = re.match(r"^features\.(\d+)\.(.+)$", name)
    return f"{_VGG16[int(match[1])]}.{match[2]}" if match and int(match[1]) in _VGG16 else name


def _from_transformers_resnet(name: str) -> str:
    name = re.sub(r"^embedder\.embedder\.convolution\.", "conv1.", name)
    name = re.sub(r"^embedder\.embedder\.normalization\.", "bn1.", name)
    match = re.match(r"^encoder\.stages\.(\d+)\.layers\.(\d+)\.(shortcut|layer\.(\d+))\.(\w+)\.(.+)$", name)
    if not match:
        return name
    stage, block, _, index, kind, tail = match.groups()
    if index is None:
        part = "downsample.0" if kind == "convolution" else "downsample.1"
    else:
        part = f"{'conv' if kind == 'convolution' else 'bn'}{int(index) + 1}"
    return f"layer{int(stage) + 1}.{block}.{part}.{tail}"
