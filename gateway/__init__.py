"""The HTTP gateway for web clients: knows the contract (`gongji.v1`) and nothing else of ours."""
