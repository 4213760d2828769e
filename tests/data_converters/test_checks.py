"""What is found in broken data sets, and that nothing is in a whole one."""

from __future__ import annotations

import copy
import json
import math

import cv2
import numpy as np
import pytest

from data_converters.checks import (
    DecodedImage,
    Part,
    as_text,
    beside_paper,
    check_between,
    check_content,
    check_files,
    known_set,
    make_part,
    read_dataset,
    read_image,
    write_report,
)
from data_converters.errors import DataError
from data_converters.schema import DatasetWriter

WIDTH, HEIGHT, K = 64, 48, 7

# A box from (10, 10) to (40, 34): 30 wide.
MARKS = np.array(
    [[10, 10], [20, 10], [30, 10], [40, 10], [25, 22], [18, 34], [32, 34]],
    float,
)


def build(split: str = 'train', protocol: str = 'rednet') -> DatasetWriter:
    """Two videos of three frames and one still, a face and subject each."""
    writer = DatasetWriter(
        'tests', 'convert_300vw', protocol, split, 0, num_keypoints=K
    )
    for name in ('001', '002'):
        subject = writer.add_subject(f'{split} {name}')
        video = writer.add_video(
            f'{split} {name}', split=split, subject_id=subject
        )
        for frame in range(3):
            image = writer.add_image(
                f'frames/{name}/{frame + 1:06d}.jpg',
                WIDTH,
                HEIGHT,
                video_id=video,
                frame_id=frame,
            )
            writer.add_face(image, MARKS + frame, subject_id=subject)
    still = writer.add_image('images/a.jpg', WIDTH, HEIGHT)
    writer.add_face(still, MARKS, subject_id=subject)
    return writer


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp('checks') / 'whole.json'
    build().save(path)
    return json.loads(path.read_text())


@pytest.fixture
def content(whole):
    return copy.deepcopy(whole)


def all_pictures(content) -> dict[str, DecodedImage]:
    return {
        image['file_name']: DecodedImage(WIDTH, HEIGHT, image['file_name'])
        for image in content['images']
    }


def found_in(content, pictures=None) -> set[tuple[str, str]]:
    findings = check_content(content, pictures).all()
    return {(each.level, each.kind) for each in findings}


def test_nothing_is_wrong_with_what_the_writer_writes(content):
    assert check_content(content, all_pictures(content)).all() == []


# What is done to a whole data set, and the only things then found. Faces 0
# to 2 are of video 1, 3 to 5 of video 2, 6 is in the still; a face has 21
# values.
def face(content, place=0):
    return content['annotations'][place]


def image(content, place=0):
    return content['images'][place]


def move(content, x):
    face(content)['keypoints'][3] = x


def all_invisible(content):
    face(content).update(keypoints=[0.0] * 21, num_keypoints=0)


def again(content, section, **changes):
    first = content[section][0]
    content[section].append({**first, 'id': 99, **changes})
    content['info']['counts'][section] += 1


def second_face(content, subject, place):
    """Another face in the frame of face ``place``."""
    keypoints = (MARKS + 0.25).tolist()
    again(
        content,
        'annotations',
        image_id=face(content, place)['image_id'],
        subject_id=subject,
        keypoints=[value for mark in keypoints for value in (*mark, 2)],
    )


def swap_names(content):
    one, two = image(content, 0), image(content, 1)
    names = two['file_name'], one['file_name']
    one['file_name'], two['file_name'] = names


BROKEN = {
    'image id twice': (
        lambda c: image(c, 1).update(id=1),
        {
            ('error', 'id used twice in images'),
            ('error', 'image_id that is not in the file'),
            ('warning', 'gap in the frames of a face'),
        },
    ),
    'image out of the folder': (
        lambda c: image(c).update(file_name='../a/000001.jpg'),
        {('error', "path out of the data set's folder")},
    ),
    'annotation id twice': (
        lambda c: face(c, 6).update(id=1),
        {
            ('error', 'id used twice in annotations'),
            ('warning', 'image without a face'),
        },
    ),
    'subject id twice': (
        lambda c: c['subjects'][1].update(id=1),
        {
            ('error', 'id used twice in subjects'),
            ('error', 'subject_id that is not in the file'),
        },
    ),
    'video id twice': (
        lambda c: c['videos'][1].update(id=1),
        {
            ('error', 'id used twice in videos'),
            ('error', 'video_id that is not in the file'),
        },
    ),
    'subject name twice': (
        lambda c: c['subjects'][1].update(name='train 001'),
        {('warning', 'name of a subject or video used twice')},
    ),
    'unknown image': (
        lambda c: face(c, 6).update(image_id=77),
        {
            ('error', 'image_id that is not in the file'),
            ('warning', 'image without a face'),
        },
    ),
    'unknown subject': (
        lambda c: face(c, 6).update(subject_id=77),
        {('error', 'subject_id that is not in the file')},
    ),
    'unknown subject of a video': (
        lambda c: c['videos'][0].update(subject_id=77),
        {('error', 'subject_id that is not in the file')},
    ),
    'unknown video': (
        lambda c: image(c, 2).update(video_id=77),
        {('error', 'video_id that is not in the file')},
    ),
    'no file name': (
        lambda c: image(c, 6).pop('file_name'),
        {
            ('error', 'entry of images that is not whole'),
            ('error', 'image_id that is not in the file'),
        },
    ),
    'no size': (
        lambda c: image(c, 6).update(width=0),
        {
            ('error', 'entry of images that is not whole'),
            ('error', 'image_id that is not in the file'),
        },
    ),
    'NaN': (
        lambda c: move(c, math.nan),
        {('error', 'mark that is not finite')},
    ),
    'infinite': (
        lambda c: move(c, math.inf),
        {('error', 'mark that is not finite')},
    ),
    'a value too few': (
        lambda c: face(c)['keypoints'].pop(),
        {('error', 'wrong number of values in keypoints')},
    ),
    'a mark too many': (
        lambda c: face(c)['keypoints'].extend([20.0, 20.0, 2]),
        {('error', 'wrong number of values in keypoints')},
    ),
    'no list of keypoints': (
        lambda c: face(c).update(keypoints='many'),
        {('error', 'wrong number of values in keypoints')},
    ),
    'strange visibility': (
        lambda c: face(c)['keypoints'].__setitem__(2, 3),
        {('error', 'visibility other than 0, 1 or 2')},
    ),
    'wrong number of visible keypoints': (
        lambda c: face(c).update(num_keypoints=6),
        {('error', 'num_keypoints other than the visible keypoints')},
    ),
    'no visible mark': (
        all_invisible,
        {('warning', 'face without a visible mark')},
    ),
    # The last pixel's right side is at 63.5; the crop is 37.5 wide round
    # 25 and ends at 43.75.
    'mark just outside': (
        lambda c: move(c, 63.6),
        {
            ('warning', 'mark outside the image'),
            ('warning', 'mark outside what is cropped'),
        },
    ),
    'mark at the edge': (
        lambda c: move(c, 63.5),
        {('warning', 'mark outside what is cropped')},
    ),
    'mark in the crop, outside the box': (lambda c: move(c, 43.7), set()),
    'mark outside the crop': (
        lambda c: move(c, 43.8),
        {('warning', 'mark outside what is cropped')},
    ),
    # More than the image's larger side, 64, beyond -0.5.
    'mark far outside': (
        lambda c: move(c, -65.0),
        {
            ('error', 'mark far outside the image'),
            ('warning', 'mark outside what is cropped'),
        },
    ),
    'empty box': (
        lambda c: face(c).update(bbox=[10, 10, 0, 24]),
        {('error', 'empty box')},
    ),
    'box of three': (
        lambda c: face(c).update(bbox=[10, 10, 20]),
        {('error', 'empty box')},
    ),
    # 19.9 wide and high: tiny is below 20.
    'tiny face': (
        lambda c: face(c).update(bbox=[10, 10, 19.9, 19.9]),
        {('warning', 'face smaller than 20 px')},
    ),
    'small face': (
        lambda c: face(c).update(bbox=[10, 10, 20.0, 5.0]),
        set(),
    ),
    'no scale': (
        lambda c: face(c).update(scale=0),
        {('error', 'center or scale that is no place')},
    ),
    'no center': (
        lambda c: face(c).update(center=[1]),
        {('error', 'center or scale that is no place')},
    ),
    'face twice, same keypoints': (
        lambda c: again(c, 'annotations', subject_id=2),
        {('error', 'face twice in a frame')},
    ),
    'face twice, same subject': (
        lambda c: second_face(c, 1, 0),
        {('error', 'face twice in a frame')},
    ),
    'two people in a frame': (lambda c: second_face(c, 2, 0), set()),
    'subject twice in an image': (
        lambda c: second_face(c, 2, 6),
        {('warning', 'subject twice in an image')},
    ),
    'frame number twice': (
        lambda c: image(c, 1).update(frame_id=0),
        {
            ('error', 'frame number used twice in a video'),
            ('warning', 'gap in the frames of a face'),
        },
    ),
    'frame without a number': (
        lambda c: image(c, 2).pop('frame_id'),
        {('error', 'frame without a number')},
    ),
    'frame left out': (
        lambda c: image(c, 2).update(frame_id=3),
        {('warning', 'gap in the frames of a face')},
    ),
    'frames against their names': (
        swap_names,
        {('error', 'frame numbers against the order of the files')},
    ),
    'frames out of order in the file': (
        lambda c: c['images'].reverse(),
        {('warning', 'frames not in order in the file')},
    ),
    'image twice': (
        lambda c: image(c, 6).update(file_name='frames/001/000001.jpg'),
        {('warning', 'image file listed twice')},
    ),
    'image without a face': (
        lambda c: face(c, 6).update(image_id=1, subject_id=2),
        {
            ('error', 'face twice in a frame'),
            ('warning', 'image without a face'),
        },
    ),
    'no categories': (
        lambda c: c.pop('categories'),
        {('error', 'no category that names the keypoints')},
    ),
    'cut by hand': (
        lambda c: c['annotations'].pop(),
        {
            ('warning', 'count in the file other than what it holds'),
            ('warning', 'image without a face'),
        },
    ),
}


@pytest.mark.parametrize('name', BROKEN)
def test_broken(content, name):
    damage, expected = BROKEN[name]
    damage(content)
    assert found_in(content) == expected


def test_pictures_beside_what_is_written(content):
    pictures = all_pictures(content)
    one, two, three = list(pictures)[:3]
    pictures[one] = DecodedImage()
    pictures[two] = DecodedImage(digest='a')
    pictures[three] = DecodedImage(HEIGHT, WIDTH, 'b')
    findings = check_content(content, pictures).all()
    assert [(each.kind, each.examples) for each in findings] == [
        ('image file missing', [one]),
        ('image file that cannot be decoded', [two]),
        (
            'image of another size than written',
            [f'{three}: 48 x 64, written 64 x 48'],
        ),
    ]


def test_few_examples_and_the_true_count(content):
    for each in content['annotations']:
        each['num_keypoints'] = 3
    (finding,) = check_content(content, keep=2).all()
    assert finding.count == 7
    assert finding.examples == [
        'frames/001/000001.jpg (annotation 1): 3, not 7',
        'frames/001/000002.jpg (annotation 2): 3, not 7',
    ]


STRANGE = (None, 'x', [], {}, math.nan, -1, 1e300, True)


def places(node, path=()):
    yield path
    if isinstance(node, (dict, list)):
        keys = node if isinstance(node, dict) else range(min(len(node), 4))
        for key in keys:
            yield from places(node[key], (*path, key))


def test_nothing_strange_breaks_the_check(whole, tmp_path):
    # One frame is enough here.
    small = {
        key: value[:1] if isinstance(value, list) else value
        for key, value in whole.items()
    }
    for *path, last in (path for path in places(small) if path):
        if not path and last in ('images', 'annotations'):
            continue  # read_dataset has seen to these.
        for value in STRANGE:
            content = copy.deepcopy(small)
            node = content
            for key in path:
                node = node[key]
            node[last] = value
            check_content(content)
            part = make_part(tmp_path / 'a.json', content, tmp_path)
            check_between([part, part])
            beside_paper([part])


# -- files ------------------------------------------------------------------


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_picture_is_really_decoded(tmp_path, suffix):
    path = tmp_path / f'a{suffix}'
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    _, data = cv2.imencode(suffix, noise)
    path.write_bytes(data)
    picture = read_image(path)
    assert (picture.width, picture.height) == (64, 48)
    # Cut short by a tenth, the header still says 64 x 48.
    path.write_bytes(data[: len(data) * 9 // 10])
    cut = read_image(path)
    assert (cut.width, cut.height) == (0, 0)
    assert cut.digest not in ('', picture.digest)
    for rest in (b'', b'no image'):
        path.write_bytes(rest)
        assert read_image(path)[:2] == (0, 0)
        assert read_image(path).digest
    path.unlink()
    assert read_image(path) == DecodedImage()
    path.mkdir()
    assert read_image(path) == DecodedImage()


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (None, 'does not exist; name a JSON file'),
        ('{"images": [', 'is no JSON file'),
        ('[]', 'has no lists of images and annotations'),
        ('{"images": [], "annotations": {}}', 'has no lists of images'),
    ],
)
def test_unreadable_file_is_one_sentence(tmp_path, text, says):
    path = tmp_path / 'a.json'
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_dataset(path)
    assert str(caught.value).startswith(f'{path}: {says}')
    assert '\n' not in str(caught.value)


# -- several files ----------------------------------------------------------


def part(split, files=(), subjects=(), videos=(), **kwargs) -> Part:
    info = {'converter': 'convert_300vw', 'split': split}
    names = {'subjects': frozenset(subjects), 'videos': frozenset(videos)}
    settings = dict(
        name=f'{split}.json', info=info, files=dict(files), names=names
    )
    return Part(**{**settings, 'counts': {}, **kwargs})


@pytest.mark.parametrize(
    ('splits', 'level'),
    [
        (('train', 'test'), 'error'),
        (('val', 'train'), 'error'),
        (('train_7', 'test'), 'error'),
        (('test_full', 'test_common'), 'warning'),
        (('all', 'test'), 'warning'),
        (('all', 'all'), 'warning'),
        (('train', 'all'), 'warning'),
        (('train', 'train_7'), 'warning'),
        (('train', 'train'), None),
    ],
)
def test_both_sides_of_a_split(splits, level):
    one, two = (
        part(split, {'/a.jpg': '', f'/{place}.jpg': ''}, ['ann', str(place)])
        for place, split in enumerate(splits)
    )
    findings = check_between([one, two]).all()
    both = f'{splits[0]}.json and {splits[1]}.json'
    expected = [
        (level, f'image in {both}', ['/a.jpg']),
        (level, f'subject in {both}', ['ann']),
    ]
    assert [(each.level, each.kind, each.examples) for each in findings] == (
        expected if level else []
    )


def test_copied_image_is_found_by_its_bytes():
    one = part('train', {'/a.jpg': '1', '/b.jpg': '2', '/c.jpg': ''})
    two = part('test', {'/d.jpg': '2', '/e.jpg': ''})
    (finding,) = check_between([one, two]).all()
    assert finding.examples == ['/b.jpg']


def test_names_of_other_converters_are_other_people():
    one = part('train', subjects=['001'], videos=['001'])
    two = part('test', subjects=['001'], videos=['001'])
    assert check_between([one, two]).count('error') == 2
    lfw = part('test', subjects=['001'], info={'converter': 'convert_lfw'})
    assert check_between([one, lfw]).all() == []


@pytest.mark.parametrize(
    ('converter', 'protocol', 'source', 'name'),
    [
        ('convert_aflw', 'aflw', 'x', 'AFLW'),
        ('convert_lfw', 'lfw', 'x', 'LFW'),
        ('convert_300vw', 'rednet', 'x', '300-VW'),
        ('convert_300vw', 'csv', 'ytfaces', None),
        ('convert_300w', 'helen', 'x', 'Helen'),
        ('convert_300w', '300w', 'lfpw_train', 'LFPW'),
        ('convert_300w', '300w', '300w', None),
        ('convert_frames', 'all', 'Talking Face', 'Talking Face'),
        ('convert_frames', 'fm', 'x', 'Face Movies'),
    ],
)
def test_known_sets(converter, protocol, source, name):
    info = dict(converter=converter, protocol=protocol, source=source)
    assert known_set(info) == name


def vw(split, protocol='rednet', **counts):
    info = dict(converter='convert_300vw', protocol=protocol, split=split)
    people = ['ann', split]
    return part(split, subjects=people, info=info, counts=counts)


def test_counts_beside_table_4():
    train = vw('train', images=90001, videos=90)
    test = vw('test', images=23990, videos=24)
    rows = [tuple(row.values()) for row in beside_paper([train, test])]
    # ann is in both: three people.
    assert rows == [
        ('300-VW', 'train', 'images', 90001, 90000),
        ('300-VW', 'train', 'videos', 90, 90),
        ('300-VW', 'test', 'images', 23990, 24000),
        ('300-VW', 'test', 'videos', 24, 24),
        ('300-VW', 'all', 'images', 113991, 114000),
        ('300-VW', 'all', 'videos', 114, 114),
        ('300-VW', 'all', 'subjects', 3, 105),
    ]
    # Half of it says nothing of the sum, another protocol nothing of parts.
    assert {row['split'] for row in beside_paper([test])} == {'test'}
    official = [vw(s, 'official', images=1, videos=1) for s in 'ab']
    assert {row['split'] for row in beside_paper(official)} == {'all'}
    lfw = part(
        'train',
        subjects=['ann'],
        info=dict(converter='convert_lfw', split='train'),
        counts={'images': 12000},
    )
    assert [tuple(row.values())[1:] for row in beside_paper([lfw])] == [
        ('all', 'images', 12000, 12007),
        ('all', 'subjects', 1, 5371),
    ]


def test_report_of_two_files(tmp_path):
    paths = []
    for split in ('train', 'test'):
        path = tmp_path / split / 'annotations' / f'{split}.json'
        build(split).save(path)
        paths.append(path)
        for number in range(7):
            name = json.loads(path.read_text())['images'][number]['file_name']
            file = path.parents[1] / name
            file.parent.mkdir(parents=True, exist_ok=True)
            # Image 4 of the test is image 4 of the training.
            level = 7 if number == 4 else 20 * number + len(split)
            gray = np.full((HEIGHT, WIDTH), level, np.uint8)
            cv2.imwrite(str(file.with_suffix('.png')), gray)
            file.with_suffix('.png').rename(file)
    (tmp_path / 'test' / 'images' / 'a.jpg').unlink()
    report = check_files(paths, workers=1)
    assert (report['errors'], report['warnings']) == (2, 0)
    text = as_text(report)
    assert '  nothing wrong' in text
    assert '      1 x image file missing\n' in text
    assert '      1 x image in train.json and test.json\n' in text
    assert '000002.jpg\n' in text
    assert '300-VW       train  images           7   paper    90,000' in text
    assert text.endswith('2 errors, 0 warnings')
    # Without a look at the images only what is in the files is seen.
    report = check_files(paths, images=False)
    assert report['errors'] == 0
    assert 'images not looked at' in as_text(report)

    out = tmp_path / 'new' / 'report.json'
    write_report(report, out)
    assert json.loads(out.read_text()) == report
    with pytest.raises(TypeError):
        write_report({'errors': object()}, out)
    assert json.loads(out.read_text()) == report
    assert [path.name for path in out.parent.iterdir()] == ['report.json']
