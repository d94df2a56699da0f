"""A Hugging Face folder with a T5-like text encoder (T5, UMT5, mT5): the encoder of Wan 2.1 and of many others.
Needs torch and transformers; reads local files only."""
import html
import pathlib
import re

TOKENIZER_FILES = ("spiece.model", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def clean(text):
    """Wan's cleaning of prompts: repairs broken Unicode, resolves HTML entities, joins white space."""
    import ftfy
    return re.sub(r"\s+", " ", html.unescape(html.unescape(ftfy.fix_text(text)))).strip()


class T5Encoder:
    def __init__(self, folder, tokenizer=None, device="cpu", dtype="auto", cleaning="wan"):
        try:
            import torch
            from transformers import AutoConfig, AutoTokenizer, MT5EncoderModel, T5EncoderModel, UMT5EncoderModel
        except ImportError as error:
            raise SystemExit(f"--model needs torch and transformers ({error}); make them with scripts/python/make_venv.sh")
        self.torch, self.device, self.cleaning = torch, device, cleaning
        self.folder = pathlib.Path(folder)
        self.tokenizer_folder = pathlib.Path(tokenizer) if tokenizer else self.default_tokenizer()
        config = AutoConfig.from_pretrained(self.folder, local_files_only=True)
        classes = {"t5": T5EncoderModel, "mt5": MT5EncoderModel, "umt5": UMT5EncoderModel}
        if config.model_type not in classes:
            raise SystemExit(f"{folder} holds a model of type {config.model_type}; expected one of {', '.join(classes)}")
        kind = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32, "auto": "auto"}[dtype]
        self.model = classes[config.model_type].from_pretrained(self.folder, local_files_only=True, torch_dtype=kind).to(device).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(self.tokenizer_folder, local_files_only=True)
        self.width, self.name = config.d_model, self.folder.resolve().name

    def default_tokenizer(self):
        """Diffusers keeps the tokenizer of PIPELINE/text_encoder in PIPELINE/tokenizer."""
        for folder in (self.folder, self.folder.resolve().parent / "tokenizer"):
            if any((folder / name).is_file() for name in TOKENIZER_FILES):
                return folder
        raise SystemExit(f"{self.folder} holds no tokenizer; pass its folder: --tokenizer DIR")

    def hashed(self):
        weights = [p for p in self.folder.iterdir() if p.suffix in (".safetensors", ".bin") or p.name == "config.json"]
        tokenizer = [self.tokenizer_folder / name for name in TOKENIZER_FILES]
        return [(p.name, open(p, "rb")) for p in sorted(weights) + [p for p in tokenizer if p.is_file()]]

    def tokens(self, text, limit):
        if self.cleaning == "wan":
            text = clean(text)
        return self.tokenizer(text, truncation=True, max_length=limit)["input_ids"]

    def encode(self, batch):
        torch = self.torch
        longest = max(len(ids) for ids in batch)
        ids = torch.full((len(batch), longest), self.tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, :len(tokens)] = torch.tensor(tokens)
            mask[row, :len(tokens)] = 1
        with torch.inference_mode():
            states = self.model(input_ids=ids.to(self.device), attention_mask=mask.to(self.device)).last_hidden_state
        return [states[row, :len(tokens)].float().cpu().numpy() for row, tokens in enumerate(batch)]
