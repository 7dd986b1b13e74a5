import socket

from tuneproof.endpoint.listening import LOOPBACK, listen


def test_what_is_answered_goes_out_at_once_on_every_connection() -> None:
    with listen(LOOPBACK, 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
