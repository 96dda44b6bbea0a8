"""A record's partition is the one that Kafka's own default partitioner would choose."""

from uuid import UUID

from aiokafka.partitioner import murmur2 as theirs
from hypothesis import given
from hypothesis import strategies as st
from kernel.messaging.records import murmur2, partition_of


@given(st.binary(max_size=64))
def test_the_hash_is_kafkas(key: bytes) -> None:
    assert murmur2(key) == theirs(key) & 0xFFFFFFFF


@given(st.uuids(), st.integers(1, 1000))
def test_every_partition_there_is_and_no_other_is_chosen(stream_id: UUID, partitions: int) -> None:
    chosen = partition_of(stream_id, partitions)
    assert 0 <= chosen < partitions
    assert chosen == (theirs(str(stream_id).encode()) & 0x7FFFFFFF) % partitions
