"""MNIST, 28x28 pixels: the fixed binarization of Larochelle, bits drawn anew in every epoch, and 256 grey levels.

    python -m recipes.mnist --data DIR                                  all of them, a night long
    chainrule reproduce binarized_mnist --data DIR                      an hour
    chainrule reproduce binarized_mnist_overnight --resume --data DIR   a night, which may end at any time

The three are three quantities. Drawn anew means in training: validation and test keep one draw of every bit, and every
test image counts once. 50 000 images train, 10 000 validate, 10 000 test.
"""

from __future__ import annotations

import sys

from chainrule.reproduction.recipe import Published, Recipe

PIXEL_RNN = "van den Oord, Kalchbrenner, Kavukcuoglu, Pixel Recurrent Neural Networks, ICML 2016"
MADE = "Germain, Gregor, Murray, Larochelle, MADE, ICML 2015"
LINEAR = "Katharopoulos et al., Transformers are RNNs, ICML 2020, table 1"
IDX = tuple(f"mnist/{part}-ubyte.gz" for part in ("train-images-idx3", "t10k-images-idx3"))
# What `fit` takes for so many images, spelt out. They are seen a few times each, so no dropout, and small batches; 2x2
# bits are one pixel to the network, whose layers then cost a quarter and may be twice as wide. In bfloat16 where the
# processor has instructions for it.
LEVELS = {"width": 32, "depth": 5, "dropout": 0.0, "batch_size": 32, "optimizer": "muon", "precision": "auto"}
BITS = LEVELS | {"pixel_block": 2, "width": 64}
# A night: a mean over four scans, which for half of the steps are one network; however fast the machine, no more passes
# a scan than the six of the hour above.
SCANS = {"orders": 4, "epochs": 24}

FIXED = (
    Published(79.20, "Diagonal BiLSTM, 7 layers", PIXEL_RNN),
    Published(80.54, "Row LSTM", PIXEL_RNN, checked=False),
    Published(80.75, "Diagonal BiLSTM, 1 layer", PIXEL_RNN),
    Published(81.30, "PixelCNN", PIXEL_RNN),
    Published(84.13, "DARN, 1 layer", "Gregor et al., Deep AutoRegressive Networks, ICML 2014"),
    Published(84.68, "EoNADE-5, 2 layers, 128 orders", "Raiko et al., Iterative NADE-k, NIPS 2014"),
    Published(86.64, "MADE, 2 layers, 32 masks", MADE, checked=False),
    Published(88.33, "NADE, fixed order", "Larochelle, Murray, AISTATS 2011, as others reprint it"),
    Published(79.02, "PixelVAE, a bound", "Gulrajani et al., 2016", comparable=False),
    Published(80.97, "DRAW, a bound", "Gregor et al., 2015", comparable=False),
)

RECIPES = (
    Recipe(
        name="binarized_mnist",
        title="binarized MNIST, fixed, 28x28 bits",
        unit="nats/image",
        source="binarized_mnist/binarized_mnist.npz",
        files=("binarized_mnist/binarized_mnist.npz",),
        options={"shape": "28,28"} | BITS,
        minutes=60,
        published=FIXED,
    ),
    Recipe(
        name="binarized_mnist_overnight",
        title="binarized MNIST, fixed, 28x28 bits, mean over 4 scans",
        unit="nats/image",
        source="binarized_mnist/binarized_mnist.npz",
        files=("binarized_mnist/binarized_mnist.npz",),
        options={"shape": "28,28"} | BITS | SCANS,
        minutes=480,
        published=FIXED,
    ),
    Recipe(
        name="dynamic_mnist",
        title="binarized MNIST, drawn anew in training, 28x28 bits",
        unit="nats/image",
        source="mnist",
        files=IDX,
        options={"binarize": "dynamic"} | BITS,
        minutes=30,
        published=(
            Published(
                77.56, "locally masked convolution, 8 orders", "Jain et al., UAI 2020, README of ajayjain/lmconv"
            ),
        ),
    ),
    Recipe(
        name="mnist_256",
        title="MNIST, 256 grey levels, 28x28 pixels",
        unit="bits/dim",
        source="mnist",
        files=IDX,
        options=LEVELS,
        minutes=30,
        metric="bits_per_dim",
        published=(
            Published(0.621, "Transformer, softmax attention", LINEAR, checked=False),
            Published(0.644, "Transformer, linear attention", LINEAR, checked=False),
            Published(0.745, "Reformer, 1 round", LINEAR, checked=False),
        ),
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "mnist", *sys.argv[1:]]))
