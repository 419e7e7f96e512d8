"""Where the convolutions' weights come from, and what happens when they cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import h5py
import keras
import numpy as np
import pytest

from bs_client.model.backbone import KERAS_FILE, draw_backbone, load_backbone
from bs_common.architecture import NamedArrays, backbone_shapes
from bs_common.errors import ConfigError, TrustError
from bs_common.weights import digest

pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.slow]


@pytest.fixture(scope="module")
def drawn() -> NamedArrays:
    """Weights with biases that are not all zero, as trained ones are."""
    draw = np.random.default_rng(2)
    return {
        name: draw.standard_normal(shape, np.float32) for name, shape in backbone_shapes().items()
    }


@pytest.fixture(scope="module")
def saved(drawn: NamedArrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keras' own present format, written by Keras."""
    model = keras.applications.VGG16(weights=None, include_top=False)
    model.set_weights(list(drawn.values()))
    path = tmp_path_factory.mktemp("present") / "vgg16.weights.h5"
    model.save_weights(path)
    return path


def write_published(path: Path, arrays: NamedArrays) -> Path:
    """Write the layout of the file that Keras publishes, which Keras 1 wrote."""
    names = list(dict.fromkeys(name.partition("/")[0] for name in arrays))
    layers = ["input_1"]
    for name in names:
        last = name == [n for n in names if n[:6] == name[:6]][-1]
        layers += [name, f"{name[:6]}_pool"] if last else [name]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer)
            parts = {"W": f"{layer}/kernel", "b": f"{layer}/bias"} if layer in names else {}
            weights = {f"{layer}_{part}_1:0": arrays[name] for part, name in parts.items()}
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name, array in weights.items():
                group.create_dataset(name, data=array)
    return path


def test_a_file_that_keras_saves_gives_the_same_arrays(saved: Path, drawn: NamedArrays) -> None:
    loaded = load_backbone(f"file:{saved}")

    assert list(loaded) == list(drawn)
    assert digest(loaded) == digest(drawn)


def test_the_published_layout_gives_the_same_arrays(tmp_path: Path, drawn: NamedArrays) -> None:
    loaded = load_backbone(f"file:{write_published(tmp_path / KERAS_FILE, drawn)}")

    assert digest(loaded) == digest(drawn)


@pytest.mark.parametrize("source", ["imagenet", "file:/of/another/site.h5"])
def test_the_sites_own_file_stands_before_the_studys_word(
    source: str, saved: Path, drawn: NamedArrays
) -> None:
    loaded = load_backbone(source, file=saved)

    assert digest(loaded) == digest(drawn)


def test_a_random_study_ignores_the_sites_file(tmp_path: Path) -> None:
    loaded = load_backbone("random:4", file=tmp_path / "absent.h5")

    assert digest(loaded) == digest(draw_backbone(4))


def test_an_absent_file_is_a_configuration_error_that_names_the_right_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_backbone(f"file:{tmp_path / 'absent.h5'}")

    assert KERAS_FILE in caught.value.remedy


def text(path: Path, _drawn: NamedArrays) -> Path:
    path.write_text("<html>not found</html>")
    return path


def torn(path: Path, drawn: NamedArrays) -> Path:
    write_published(path, drawn)
    path.write_bytes(path.read_bytes()[:100_000])
    return path


def other_network(path: Path, _drawn: NamedArrays) -> Path:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    path = path.with_name("other.weights.h5")
    model.save_weights(path)
    return path


def other_shape(path: Path, drawn: NamedArrays) -> Path:
    spoiled = drawn | {"block3_conv2/kernel": np.zeros((3, 3, 256, 128), np.float32)}
    return write_published(path, spoiled)


def with_top(path: Path, drawn: NamedArrays) -> Path:
    top = {"fc1/kernel": np.zeros((4, 2), np.float32), "fc1/bias": np.zeros(2, np.float32)}
    return write_published(path, drawn | top)


def no_weights(path: Path, _drawn: NamedArrays) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("counts", data=[1, 2, 3])
    return path


def unknown_suffix(path: Path, drawn: NamedArrays) -> Path:
    return write_published(path, drawn).rename(path.with_suffix(".bin"))


@pytest.mark.parametrize(
    "write", [text, torn, other_network, other_shape, with_top, no_weights, unknown_suffix]
)
def test_a_file_of_anything_else_is_not_trusted(
    write: Callable[[Path, NamedArrays], Path], tmp_path: Path, drawn: NamedArrays
) -> None:
    path = write(tmp_path / "weights.h5", drawn)

    with pytest.raises(TrustError) as caught:
        load_backbone(f"file:{path}")

    assert KERAS_FILE in caught.value.remedy


def test_a_failed_download_is_a_configuration_error_that_names_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(**_: object) -> NoReturn:
        raise Exception("URL fetch failure")  # as keras.utils.get_file does

    monkeypatch.setattr(keras.applications, "VGG16", fail)

    with pytest.raises(ConfigError) as caught:
        load_backbone("imagenet")

    assert KERAS_FILE in caught.value.remedy
    assert "backbone_file" in caught.value.remedy


def test_a_random_backbone_is_the_same_for_one_seed_and_another_for_another() -> None:
    assert digest(draw_backbone(1)) == digest(draw_backbone(1))
    assert digest(draw_backbone(1)) != digest(draw_backbone(2))


def test_a_random_kernel_has_the_spread_of_he_et_al() -> None:
    arrays = draw_backbone(1)

    assert {name: array.shape for name, array in arrays.items()} == backbone_shapes()
    # sqrt(2 / (3 x 3 x 512)) = 0.020833; 2.4 million draws leave a relative error of 5e-4.
    assert arrays["block5_conv2/kernel"].std() == pytest.approx(0.020833, rel=3e-3)
    assert not arrays["block5_conv2/bias"].any()
