import socket

import pytest

from tuneproof.common.errors import UserError
from tuneproof.endpoint.listening import LOOPBACK, listen


def test_what_is_answered_goes_out_at_once_on_every_connection() -> None:
    with listen(LOOPBACK, 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("port", [-1, 65536, 99999999])
def test_a_number_that_is_no_port_is_told_and_not_cut_to_sixteen_bits(port: int) -> None:
    with pytest.raises(UserError, match=rf"{LOOPBACK}:{port}: ports go from 0 to 65535; name another"):
        listen(LOOPBACK, port)
