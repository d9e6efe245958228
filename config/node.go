package config

import (
	"fmt"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// nodeKind is what a YAML value is. The zero value is none.
type nodeKind uint8

const (
	nullNode nodeKind = iota + 1
	textNode
	boolNode
	numberNode
	listNode
	mappingNode
)

// String names the kind in messages.
func (k nodeKind) String() string {
	switch k {
	case nullNode:
		return "empty"
	case textNode:
		return "text"
	case boolNode:
		return "true or false"
	case numberNode:
		return "a number"
	case listNode:
		return "a list"
	case mappingNode:
		return "a block of keys"
	}
	return "nothing"
}

// node is one YAML value with its place in the file.
type node struct {
	kind nodeKind
	// text is a scalar's value.
	text string
	// inline is true for a scalar that begins on the line of its key or dash.
	inline       bool
	line, column int
	// keyLine and keyColumn are the place of the key in front; 0 for an item of
	// a list and for the document itself.
	keyLine, keyColumn int
	fields             []field
	items              []*node
}

// field is one key of a mapping.
type field struct {
	key   string
	value *node
}

// place returns where a person looks for the value: at the value itself when it
// stands on its key's line, else at the key.
func (n *node) place() (line, column int) {
	if n.keyLine > 0 && !n.inline {
		return n.keyLine, n.keyColumn
	}
	return n.line, n.column
}

// child returns the value under key, nil when there is none.
func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	for _, f := range n.fields {
		if f.key == key {
			return f.value
		}
	}
	return nil
}

// syntaxError is a place at which a file is no document that we read.
type syntaxError struct {
	line, column int
	message      string
}

// Error returns the message.
func (e *syntaxError) Error() string { return e.message }

// newNode copies the parts of a tree that documents may have. Depth is bounded
// by the check of the tokens before it.
func newNode(n ast.Node) (*node, error) {
	switch n := n.(type) {
	case nil:
		return nil, fmt.Errorf("a value is missing")
	case *ast.NullNode:
		return scalar(n, nullNode, ""), nil
	case *ast.StringNode:
		return scalar(n, textNode, n.Value), nil
	case *ast.LiteralNode:
		block := scalar(n, textNode, n.Value.Value)
		block.inline = false
		return block, nil
	case *ast.BoolNode:
		return scalar(n, boolNode, strconv.FormatBool(n.Value)), nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return scalar(n, numberNode, n.GetToken().Value), nil
	case *ast.SequenceNode:
		return newList(n)
	case *ast.MappingNode:
		return newMapping(n, n.Values)
	case *ast.MappingValueNode:
		return newMapping(n, []*ast.MappingValueNode{n})
	}
	return nil, misplaced(n.GetToken(), "this form of YAML is not read")
}

func scalar(n ast.Node, kind nodeKind, text string) *node {
	at := n.GetToken().Position
	return &node{kind: kind, text: text, inline: true, line: at.Line, column: max(at.Column, 1)}
}

func newList(n *ast.SequenceNode) (*node, error) {
	list := scalar(n, listNode, "")
	list.inline = false
	for _, value := range n.Values {
		item, err := newNode(value)
		if err != nil {
			return nil, err
		}
		item.keyLine = 0
		list.items = append(list.items, item)
	}
	return list, nil
}

func newMapping(n ast.Node, values []*ast.MappingValueNode) (*node, error) {
	mapping := scalar(n, mappingNode, "")
	mapping.inline = false
	for i, value := range values {
		key := value.Key.GetToken()
		child, err := newNode(value.Value)
		if err != nil {
			return nil, err
		}
		child.keyLine, child.keyColumn = key.Position.Line, max(key.Position.Column, 1)
		if child.line != child.keyLine || child.kind == nullNode {
			child.inline = false
		}
		if i == 0 {
			mapping.line, mapping.column = child.keyLine, child.keyColumn
		}
		mapping.fields = append(mapping.fields, field{key: key.Value, value: child})
	}
	return mapping, nil
}

func misplaced(t *token.Token, message string) *syntaxError {
	e := &syntaxError{line: 1, column: 1, message: message}
	if t != nil && t.Position != nil {
		e.line, e.column = t.Position.Line, max(t.Position.Column, 1)
	}
	return e
}
