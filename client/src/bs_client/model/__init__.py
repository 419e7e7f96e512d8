"""The study's VGG16 in Keras, and its weights as named arrays."""
