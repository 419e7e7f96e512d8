"""Preparing the machine for repeatable computing; the one module that names a Keras backend."""

from __future__ import annotations

import keras


def prepare_device(threads: int) -> str:
    """Fix threads and determinism before anything is computed, and say what will compute.

    Parameters
    ----------
    threads : worker threads of one operation; results are repeated to the byte only with the
        same number.

    Returns
    -------
    Words for a person, such as ``"cpu (2 threads)"`` or ``"gpu NVIDIA H200"``.
    """
    keras.utils.set_random_seed(0)
    if keras.backend.backend() == "tensorflow":
        return _prepare_tensorflow(threads)
    if keras.backend.backend() == "jax":
        import jax

        device = jax.devices()[0]
        return _words(device.platform, device.device_kind)
    return _words("device", keras.backend.backend())


def _prepare_tensorflow(threads: int) -> str:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Without this TensorFlow takes the whole card, also when others use it.
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return f"cpu ({threads} threads)"
    details = tf.config.experimental.get_device_details(gpus[0])
    return _words("gpu", str(details.get("device_name", "")))


def _words(kind: str, name: str) -> str:
    # The contract allows these characters and this length.
    safe = "".join(letter for letter in name if letter.isalnum() or letter in " .-")
    return f"{kind} {safe}".strip()[:64]
