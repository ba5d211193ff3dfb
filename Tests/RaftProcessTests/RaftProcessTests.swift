import Testing

/// Nodes as processes of the built program, under load and under everything that can happen to a machine. What clients saw must
/// be what one copy of the data would have shown them, and in the end every node must hold the same.
@Suite(.serialized) struct RaftProcessTests {}
