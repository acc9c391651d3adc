"""Official layouts with MATLAB lists."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fgkd.data.sources import SOURCES, Listing, Request
from fgkd.errors import UserError
from tests.data import layouts

NAMES = ["AM General Hummer SUV 2000", "Ram C/V Cargo Van Minivan 2012", "smart fortwo Convertible 2012"]


def read(source: str, folder: Path, **options) -> Listing:
    assert not SOURCES.get(source).missing(folder)
    return SOURCES.get(source).read(Request(folder, folder / "cache", options))


def test_cars_halves(tmp_path, write_picture):
    listing = read("stanford_cars", layouts.cars_halves(tmp_path / "cars", write_picture, NAMES))
    assert listing.class_names == tuple(NAMES)
    assert listing.train.targets.tolist() == listing.test.targets.tolist()[::-1]
    assert np.bincount(listing.train.targets).tolist() == [4, 4, 4]
    assert listing.test.paths[0] == tmp_path / "cars/cars_test/00001.jpg"
    assert all(path.is_file() for path in listing.train.paths + listing.test.paths)


def test_cars_as_torchvision_lays_them(tmp_path, write_picture):
    folder = layouts.cars_halves(tmp_path / "cars", write_picture, NAMES)
    before = read("stanford_cars", folder)
    (folder / "devkit/cars_test_annos_withlabels.mat").rename(folder / "cars_test_annos_withlabels.mat")
    after = read("stanford_cars", folder)
    assert (after.test.paths, after.test.targets.tolist()) == (before.test.paths, before.test.targets.tolist())


def test_cars_whole(tmp_path, write_picture):
    listing = read("stanford_cars", layouts.cars_whole(tmp_path / "cars", write_picture, NAMES))
    assert listing.class_names == tuple(NAMES)
    assert [path.name for path in listing.train.paths] == ["000001.jpg", "000003.jpg", "000005.jpg"]
    assert listing.train.targets.tolist() == listing.test.targets.tolist() == [0, 1, 2]
    assert all(path.is_file() for path in listing.train.paths + listing.test.paths)


def test_cars_with_the_unlabelled_test_list(tmp_path, write_picture):
    folder = layouts.cars_halves(tmp_path / "cars", write_picture, NAMES)
    devkit = folder / "devkit"
    layouts.savemat(
        devkit / "cars_test_annos_withlabels.mat", {"annotations": layouts.records(fname=["a.jpg", "b.jpg"])}
    )
    with pytest.raises(UserError, match=r"has no labels; use the file whose name ends in _withlabels"):
        read("stanford_cars", folder)


def test_cars_train_half(tmp_path, write_picture):
    folder = layouts.cars_halves(tmp_path / "cars", write_picture, NAMES, with_test=False)
    assert SOURCES.get("stanford_cars").missing(folder)
    listing = read("stanford_cars_train", folder, test_share=0.25, test_seed=0)
    assert np.bincount(listing.test.targets).tolist() == [1, 1, 1]
    assert np.bincount(listing.train.targets).tolist() == [3, 3, 3]
    assert not set(listing.train.paths) & set(listing.test.paths)


@pytest.mark.shared
def test_cars_official_files_agree_between_layouts(shared_data, tmp_path):
    devkit = shared_data / "annotations/stanford_cars/devkit"
    halves, whole = tmp_path / "halves", tmp_path / "whole"
    shutil.copytree(devkit, halves / "devkit")
    (halves / "cars_train").mkdir()
    (halves / "cars_test").mkdir()
    (whole / "car_ims").mkdir(parents=True)
    shutil.copy(devkit / "cars_annos.mat", whole)
    one, other = read("stanford_cars", halves), read("stanford_cars", whole)
    assert one.class_names == other.class_names
    assert len(one.class_names) == 196
    assert [name for name in one.class_names if "/" in name] == ["Ram C/V Cargo Van Minivan 2012"]
    assert (len(one.train), len(one.test)) == (len(other.train), len(other.test)) == (8144, 8041)
    for mine, theirs in ((one.train, other.train), (one.test, other.test)):
        assert np.bincount(mine.targets).tolist() == np.bincount(theirs.targets).tolist()
    assert one.train.targets[:2].tolist() == [13, 2]  # 00001.jpg is class 14, 00002.jpg class 3


def test_flowers(tmp_path, write_picture):
    folder = layouts.flowers(
        tmp_path, write_picture, [2, 1, 2, 1, 3, 3], {"trnid": [5, 1], "valid": [2], "tstid": [6, 3, 4]}
    )
    listing = read("flowers102", folder)
    assert listing.class_names == ("flower 001", "flower 002", "flower 003")
    assert [path.name for path in listing.train.paths] == ["image_00001.jpg", "image_00002.jpg", "image_00005.jpg"]
    assert listing.train.targets.tolist() == [1, 0, 2]
    assert listing.test.targets.tolist() == [1, 0, 2]
    official = read("flowers102", folder, val=True)
    assert official.val is not None
    assert (len(official.train), official.val.targets.tolist()) == (2, [0])


def test_dogs(tmp_path, write_picture):
    breeds = ["n02085620-Chihuahua", "n02085782-Japanese_spaniel", "n02086240-Shih-Tzu"]
    listing = read("dogs", layouts.dogs(tmp_path, write_picture, breeds))
    assert listing.class_names == ("Chihuahua", "Japanese spaniel", "Shih-Tzu")
    assert listing.train.targets.tolist() == [0, 0, 1, 1, 2, 2]
    assert listing.test.targets.tolist() == [0, 1, 2]
    assert all(path.is_file() for path in listing.train.paths + listing.test.paths)


def test_a_damaged_file_is_named(tmp_path, write_picture):
    folder = layouts.cars_halves(tmp_path / "cars", write_picture, NAMES)
    (folder / "devkit/cars_meta.mat").write_bytes(b"<html>404</html>")
    with pytest.raises(UserError, match=r"cars_meta\.mat: is not a MATLAB file"):
        read("stanford_cars", folder)
