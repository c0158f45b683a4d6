import base64
import re

from benchmarks.etcd import VALUE_BYTES, put_script


def test_puts_are_of_one_value_under_keys_that_differ_by_run_and_number():
    script = put_script(7)
    [value] = re.findall(r'"value":"([^"]+)"', script)
    assert len(base64.b64decode(value, validate=True)) == VALUE_BYTES
    [form, run] = re.findall(r'string\.format\("([^"]+)", (\d+), number\)', script)[0]
    assert run == "7"
    keys = [base64.b64decode(form % (7, number), validate=True) for number in (1, 2, 10**9)]
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {18}
    assert "{{" not in script
